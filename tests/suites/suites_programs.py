# SPDX-License-Identifier: MIT
"""Programs with threads, and servers: each does a bounded piece of work, and what it prints must be the same
line by line.

Every line of output is a case. The data are made once: a git repository of 1,200 files (enough that git
starts threads for its index), and a text of some 5 MB. Servers listen on a socket in their own folder, or on
a free port of the loopback, serve a bounded load, and are stopped by the number of their process. Servers
that would be started by being installed are only unpacked. The thread tests of tests/shim/threads are `make
check-threads`.
"""
import shutil
import subprocess
from pathlib import Path

from suite import Finished, PATH, Suite, Unavailable, Unit, Verdicts

LINES_MAX = 400

DATA = r"""
set -e
git init -q repo; cd repo
git config user.name nobody; git config user.email nobody@localhost; git config gc.auto 0
for c in 1 2; do
  for d in $(seq 1 24); do
    mkdir -p d$d
    for f in $(seq 1 50); do echo "define file $f of $d in commit $c $((f * d * c))" >> d$d/f$f.txt; done
  done
  git add -A; GIT_AUTHOR_DATE="2024-01-0${c}T00:00:00Z" GIT_COMMITTER_DATE="2024-01-0${c}T00:00:00Z" git commit -qm "commit $c"
done
git repack -adfq; cd ..
awk 'BEGIN { srand(7); for (i = 0; i < 120000; i++) print int(rand() * 1e9), "some words that repeat", i % 977 }' > text
"""

GIT = "rm -rf r; cp -r ../data/repo r; cd r; git update-index -q --refresh || true\n"
PROGRAMS = {
    "git gc": GIT +
    "for d in d*; do echo x >> $d/f7.txt; done; git commit -qam more --date=@0; git gc -q --prune=now; git fsck; git rev-parse HEAD^; git count-objects -v | grep -E 'count|in-pack|garbage'",
    "git grep": "git -C ../data/repo -c grep.threads=4 grep -c 'commit 2' | md5sum",
    "git status with preload": GIT + "for d in d*; do echo x >> $d/f7.txt; done; rm d3/f9.txt; touch new; "
    "for i in 1 2 3; do git -c core.preloadIndex=true status --porcelain; done",
    "git repack": GIT + "git repack -adfq --threads=4 --depth=20; git fsck; git log --format=%H | md5sum",
    "git checkout with workers": GIT +
    "git -c checkout.workers=4 -c checkout.thresholdForParallelism=10 checkout -q HEAD~1; git status --porcelain | wc -l",
    "xz -T": "xz -T4 -1 --block-size=1MiB -c ../data/text > t.xz; xz -T4 -dc t.xz | md5sum; xz -l --robot t.xz | cut -f 1-4",
    "zstd -T": "zstd -q -T4 -3 -B1MiB -c ../data/text > t.zst; zstd -q -dc t.zst | md5sum; md5sum < t.zst",
    "pigz": "pigz -p 4 -nc ../data/text > t.gz; pigz -dc t.gz | md5sum; md5sum < t.gz",
    "sort --parallel": "sort --parallel=4 -S 4M -T . ../data/text | md5sum; sort --parallel=4 -rn ../data/text | head -n 5",
    "make -j": r"""printf 'all:%s\n' "$(seq -s ' ' -f t%g 1 48 | sed 's/^/ /')" > Makefile
printf 't%%:\n\t@cat ../data/repo/d1/f$*.txt ../data/repo/d2/f$*.txt | sort | md5sum > $@.out\n' >> Makefile
rm -f *.out; make -j8; cat *.out | md5sum; ls *.out | wc -l""",
    "ripgrep": "rg -j4 -c 'commit 2' ../data/repo | sort | md5sum; rg -j4 --files ../data/repo | wc -l",
    "fd": "fdfind -j4 -t f 'f1' ../data/repo | sort | md5sum; fdfind -j4 -e txt . ../data/repo/d1 -x echo | sort | md5sum",
    "python threads": "/usr/bin/python3 -c \"$PYTHON_THREADS\"",
    "python multiprocessing": "/usr/bin/python3 -c \"$PYTHON_PROCESSES\"",
    "node": "node -e \"$NODE\"",
    "java": "printf '%s' \"$JAVA\" > Work.java; javac -J-Xmx128m Work.java && java -Xmx128m -XX:+UseParallelGC Work",
    "OpenMP": "printf '%s' \"$OPENMP\" > omp.c; gcc -O1 -fopenmp omp.c -o omp -lm && OMP_NUM_THREADS=4 OMP_WAIT_POLICY=passive ./omp",
    "redis": r"""rm -f dump.rdb; redis-server --port 0 --unixsocket ./s --save '' --appendonly no --io-threads 3 --daemonize no --logfile log & server=$!
for i in $(seq 300); do redis-cli -s ./s ping >/dev/null 2>&1 && break; sleep 0.1; done
for i in $(seq 1 40); do redis-cli -s ./s incrby total $i; redis-cli -s ./s lpush list $i; done
redis-benchmark -s ./s -n 2000 -c 8 -t set,get,lpush -q | sed 's/.*\r//; s/:.*//' | grep -v '^$'
redis-cli -s ./s save; redis-cli -s ./s llen list; kill $server; wait $server; echo status $?""",
    "memcached": r"""rm -f s; memcached -u root -s ./s -t 4 -m 32 & server=$!
for i in $(seq 300); do [ -S s ] && break; sleep 0.1; done
/usr/bin/python3 -c "$MEMCACHED"; kill $server; wait $server; echo status $?""",
    "mariadb": r"""root=${UNPACKED_ROOT:?}/usr; rm -rf db s
where="--no-defaults --basedir=$root --datadir=$PWD/db --lc-messages-dir=$root/share/mysql --plugin-dir=$root/lib/mysql/plugin --user=root"
mariadb-install-db $where --auth-root-authentication-method=normal --skip-test-db >install.log 2>&1; echo made $?
mariadbd $where --socket=$PWD/s --skip-networking --innodb-buffer-pool-size=16M --innodb-log-file-size=8M >log 2>&1 & server=$!
sql() { mariadb --no-defaults -S s -u root -N -B "$@"; }
for i in $(seq 600); do sql -e 'select 1' >/dev/null 2>&1 && break; sleep 0.1; done
sql -e 'create database d; create table d.t (g int primary key, h int) engine=innodb'
seq -s ',' -f '(%g, 0)' 1 4000 | sed 's/^/insert into d.t values /' | sql
clients=
for c in 1 2 3 4; do
  for i in $(seq 25); do echo "update d.t set h = h + $c where g % 40 = $i;"; done | sql & clients="$clients $!"
done
wait $clients
sql -e 'select count(*), sum(h) from d.t; select g % 7, sum(h) from d.t group by g % 7 order by 1; check table d.t'
kill $server; wait $server; echo status $?""",
    "postgres": r"""chmod 777 .; bin=$(dirname "$(readlink -f "$(command -v initdb)")"); rm -rf db
as="setpriv --reuid=65534 --regid=65534 --clear-groups"
$as $bin/initdb -D db -U pg --no-sync >/dev/null && echo made
$as $bin/postgres -D db -k "$PWD" -c listen_addresses= -c fsync=off >log 2>&1 & server=$!
for i in $(seq 300); do psql -h "$PWD" -U pg -c 'select 1' postgres >/dev/null 2>&1 && break; sleep 0.2; done
psql -h "$PWD" -U pg postgres -Atc 'create table t as select g, g * 7 % 13 as h from generate_series(1, 20000) g; select h, count(*), sum(g) from t group by h order by h'
$bin/pgbench -h "$PWD" -U pg -iq postgres >pgbench.log 2>&1; echo made $?; $bin/pgbench -h "$PWD" -U pg -c 4 -j 4 -t 30 postgres 2>/dev/null | grep actually
psql -h "$PWD" -U pg postgres -Atc 'select count(*) from pgbench_history'
kill -INT $server; wait $server; echo status $?""",
}

SCRIPTS = {
    "PYTHON_THREADS": """
import concurrent.futures, queue, threading, glob, hashlib, subprocess
names = sorted(glob.glob('../data/repo/d*/*.txt'))[:600]
def digest(name):
    with open(name, 'rb') as f: return hashlib.md5(f.read()).hexdigest()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(hashlib.md5(''.join(pool.map(digest, names)).encode()).hexdigest())
    print(sorted(pool.map(lambda i: subprocess.run(['sh', '-c', f'exit {i}']).returncode, range(12))))
q, total, lock, ready = queue.Queue(4), [0], threading.RLock(), threading.Condition()
def worker():
    while (item := q.get()) is not None:
        with lock: total[0] += item
        with ready: ready.notify_all()
threads = [threading.Thread(target=worker) for _ in range(6)]
[t.start() for t in threads]
for i in range(3000): q.put(i)
for _ in threads: q.put(None)
[t.join() for t in threads]
print(total[0])
""",
    "PYTHON_PROCESSES": """
import multiprocessing, os, sys
def square(x): return x * x
if __name__ == '__main__':
    with multiprocessing.get_context('fork').Pool(4) as pool:
        print(sum(pool.imap_unordered(square, range(2000), 16)))
    context = multiprocessing.get_context('fork')
    lock, value, q = context.Lock(), context.Value('i', 0, lock=False), context.Queue()
    def add():
        for _ in range(200):
            with lock: value.value += 1
        q.put(os.getpid() != os.getppid())
    children = [context.Process(target=add) for _ in range(4)]
    [c.start() for c in children]
    print([q.get() for _ in children]); [c.join() for c in children]
    print(value.value, [c.exitcode for c in children])
""",
    "NODE": """
const { Worker, isMainThread, parentPort } = require('worker_threads'); const fs = require('fs');
const work = `const { parentPort, workerData } = require('worker_threads'); let s = 0;
for (let i = 0; i < 200000; i++) s = (s * 31 + i + workerData) % 1000003; parentPort.postMessage(s)`;
(async () => {
  const names = fs.readdirSync('../data/repo/d1').sort();
  const texts = await Promise.all(names.map(n => fs.promises.readFile('../data/repo/d1/' + n, 'utf8')));
  console.log(texts.length, texts.join('').length);
  console.log(await Promise.all([1, 2, 3, 4].map(n => new Promise(done =>
    new Worker(work, { eval: true, workerData: n }).on('message', done)))));
  console.log(require('child_process').execFileSync('sh', ['-c', 'echo child']).toString().trim());
  console.log(require('crypto').pbkdf2Sync('a', 'b', 1000, 16, 'sha256').toString('hex'));
})();
""",
    "JAVA": """
import java.nio.file.*; import java.util.*; import java.util.concurrent.*; import java.util.concurrent.atomic.*;
public class Work {
  static synchronized void add(long[] sum, long n) { sum[0] += n; }
  public static void main(String[] a) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(6);
    List<Future<Long>> all = new ArrayList<>();
    for (int i = 1; i <= 50; i++) { final int n = i;
      all.add(pool.submit(() -> Files.lines(Path.of("../data/repo/d2/f" + n + ".txt")).mapToLong(String::length).sum())); }
    long total = 0; for (Future<Long> f : all) total += f.get();
    System.out.println(total);
    long[] sum = new long[1]; CountDownLatch done = new CountDownLatch(4);
    for (int t = 0; t < 4; t++) pool.submit(() -> { for (int i = 0; i < 20000; i++) add(sum, i); done.countDown(); });
    done.await(); System.out.println(sum[0]);
    List<byte[]> rubbish = new ArrayList<>();
    for (int i = 0; i < 3000; i++) { if (i % 50 == 0) rubbish.clear(); rubbish.add(new byte[100000]); }
    System.out.println(rubbish.size());
    System.out.println(new String(new ProcessBuilder("sh", "-c", "echo child").start().getInputStream().readAllBytes()).trim());
    pool.shutdown(); System.out.println(pool.awaitTermination(60, TimeUnit.SECONDS));
  }
}
""",
    "OPENMP": """
#include <math.h>
#include <omp.h>
#include <stdio.h>
static long fib(int n) {
  long a, b;
  if (n < 12) return n < 2 ? n : fib(n - 1) + fib(n - 2);
#pragma omp task shared(a)
  a = fib(n - 1);
#pragma omp task shared(b)
  b = fib(n - 2);
#pragma omp taskwait
  return a + b;
}
int main(void) {
  long sum = 0, guarded = 0, f = 0; int order[64], n = 0;
  for (int round = 0; round < 200; round++) {
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 7)
    for (int i = 0; i < 2000; i++) sum += (long)sqrt(i * round);
#pragma omp parallel
    {
#pragma omp critical
      guarded++;
#pragma omp barrier
    }
  }
#pragma omp parallel for ordered schedule(dynamic)
  for (int i = 0; i < 64; i++)
#pragma omp ordered
    order[n++] = i;
#pragma omp parallel
#pragma omp single
  f = fib(22);
  printf("%ld %ld %ld %d %d\\n", sum, guarded, f, n, order[63]);
  return 0;
}
""",
    "MEMCACHED": """
import socket, threading
def client(n):
    s = socket.socket(socket.AF_UNIX); s.connect('./s'); f = s.makefile('rwb')
    for i in range(200):
        f.write(b'set k%d-%d 0 0 5\\r\\nvalue\\r\\nincr total 1\\r\\n' % (n, i)); f.flush(); f.readline(); f.readline()
    f.write(b'get k%d-199\\r\\n' % n); f.flush()
    got[n] = [f.readline() for _ in range(3)]
got = {}
s = socket.socket(socket.AF_UNIX); s.connect('./s'); s.sendall(b'set total 0 0 1\\r\\n0\\r\\n'); s.recv(100)
threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
s.sendall(b'get total\\r\\n'); print(s.recv(200)); print(sorted(got.items()))
""",
}

# Programs that a unit begins with, where they may be missing; servers come unpacked.
NEEDS = {
    "pigz": "pigz", "ripgrep": "rg", "fd": "fdfind", "node": "node", "java": "javac", "redis": "redis-server",
    "memcached": "memcached", "postgres": "initdb", "mariadb": "mariadbd"
}
UNPACKED = ("redis-server", "memcached", "mariadb-server-core", "mariadb-client-core", "postgresql-15")

def unpack(folder: Path) -> Path:
    """Packages with a service, and what they depend on and is not installed, below the folder and nowhere
    else: the root of it.
    """
    root, archives = folder / "root", folder / "archives"
    wanted = " ".join(UNPACKED)
    if not (root / "complete").exists() or (root / "complete").read_text() != wanted:
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        subprocess.run([
            "apt-get", "-q", "-y", "--no-install-recommends", "--download-only", "-o",
            f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=", "install", *UNPACKED
        ], capture_output=True)
        root.mkdir(exist_ok=True)
        for package in sorted(archives.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        (root / "complete").write_text(wanted)
    return root

def by_line(done: Finished) -> Verdicts:
    lines = done.output.splitlines()
    out = {f"line {i + 1}": line for i, line in enumerate(lines[:LINES_MAX])}
    return out | {"lines": str(len(lines)), "exit status": str(done.status)}

def prepare(folder: Path) -> list[Unit]:
    if not (folder / "data/complete").exists():
        shutil.rmtree(folder / "data", ignore_errors=True)
        (folder / "data").mkdir()
        subprocess.run(["bash", "-c", DATA], cwd=folder / "data", check=True, capture_output=True)
        (folder / "data/complete").touch()
    root = unpack(folder)
    postgres = [*root.glob("usr/lib/postgresql/*/bin"), *Path("/usr/lib/postgresql").glob("*/bin")]
    where = ":".join([f"{root}/usr/bin", f"{root}/usr/sbin", PATH, *map(str, postgres)])
    env = {
        **SCRIPTS, "PATH": where, "LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu",
        "UNPACKED_ROOT": str(root), "GIT_CONFIG_NOSYSTEM": "1"
    }
    units = []
    for name, script in PROGRAMS.items():
        if name in NEEDS and not shutil.which(NEEDS[name], path=where):
            print(f"  {name}: no {NEEDS[name]} here", flush=True)
            continue
        place = folder / name.replace(" ", "_")
        place.mkdir(exist_ok=True)
        units.append(Unit(name, ("bash", "-c", script), place, by_line, env))
    if not units:
        raise Unavailable("none of the programs is here")
    return units

SUITES = [Suite("programs", "git", prepare, recorded=6, timeout=300, weight=8)]
