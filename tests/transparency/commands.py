# SPDX-License-Identifier: MIT
"""The programs that must not be able to tell whether they run under sysvm: one row each.

A row's command runs in the top of a fresh copy of the corpus (corpus.py): it reads tree/, makes things in
out/. A row with more than one process, a redirection or a pipe is a bash command line; the others are
executed directly.

`none` says why no call of this program is expected to be answered; without it, a run with no hit is a
failure. `ignore` names files whose content differs from copy to copy (git's index holds inode numbers).
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    name: str
    argv: tuple[str, ...]
    none: str = ""
    ignore: tuple[str, ...] = ()
    stdin: str = ""  # text fed to standard input


def direct(name: str, *argv: str, **more) -> Command:
    return Command(name, argv, **more)


def shell(name: str, line: str, **more) -> Command:
    return Command(name, ("bash", "-c", line), **more)


INDEX = ("tree/repo/.git/index",)
TEXT = "tree/src/*/*.txt tree/src/*/*.c"

PYTHON = """
import collections, csv, json, os, re, tempfile, decimal, email, unittest, xml.dom, logging, subprocess
total = collections.Counter()
for folder, dirs, files in os.walk('tree/src'):
    dirs.sort()
    for name in sorted(files):
        with open(os.path.join(folder, name)) as f:
            total.update(re.findall(r'[a-z]+', f.read()))
print(json.dumps(total.most_common(20)))
"""

PERL = r"""
use strict; use File::Find; my %n;
find({ no_chdir => 1, wanted => sub { return unless -f $_ && -r _; open my $f, '<', $_ or return;
  while (<$f>) { $n{$1}++ while /(\w+)/g } } }, 'tree/src');
print "$_ $n{$_}\n" for sort keys %n;
"""

SCRIPT = r"""
set -u
count=0
for f in tree/src/*/*.txt; do
    while IFS= read -r line; do
        case $line in *define*) count=$((count + 1)) ;; esac
    done < "$f"
done
echo "$count"
cat tree/src/*/*.c | tr -s ' ' '\n' | sort | uniq -c | sort -rn | head -n 20
grep -l define tree/src/*/*.h | while read -r f; do wc -l < "$f"; done | sort -n | tail -n 3
x=$(cat tree/edge/one; echo; cat < tree/edge/no-newline)
echo "$x"
( cd tree/src && ls | wc -l )
trap 'echo caught' USR1; kill -USR1 $$; echo "after $?"
cat <<END
here $count
END
false | true; echo "${PIPESTATUS[*]}"
sort tree/edge/large > out/sorted & wait $!; echo "status $?"
exec 5< tree/edge/large; read -r -u 5 a; read -r -u 5 b; echo "$a|$b"; exec 5<&-
exit 7
"""

SQL = """
create table t(n integer, word text, value integer);
.mode csv
.import out/all.csv t
create index i on t(word);
select word, count(*), sum(value) from t group by word order by 2 desc, 1 limit 10;
update t set value = value + 1 where n % 3 = 0;
delete from t where n > 50;
vacuum;
select count(*), sum(value) from t;
"""

COMMANDS = [
    direct("grep -r", "grep", "-r", "define", "tree"),
    direct("grep -r --include", "grep", "-rn", "--include=*.h", "define", "tree/src"),
    shell("grep -c files", f"grep -c define {TEXT} tree/edge/[!f]* tree/nothing-there"),
    direct("find", "find", "tree", "-name", "*.c"),
    direct("find -printf", "find", "tree", "-type", "f", "-size", "+1k", "-printf", "%p %s %m %T@\n"),
    direct("find -newer", "find", "-L", "tree/src", "tree/edge", "-newer", "tree/edge/one"),
    direct("ls -lR", "ls", "-lR", "tree"),
    direct("ls --sort", "ls", "-la", "--time-style=full-iso", "--sort=size", "tree/edge",
           "tree/nothing-there"),
    direct("du", "du", "-a", "--apparent-size", "tree"),
    direct("du -s", "du", "-sk", "--apparent-size", "tree/src", "tree/twin"),
    shell("wc", f"wc {TEXT} tree/edge/[!f]*"),
    shell("cat", f"cat {TEXT} tree/edge/nothing tree/edge/large tree/edge/sparse"),
    shell("head", f"head -n 3 {TEXT} tree/edge/empty"),
    shell("tail", f"tail -n 2 {TEXT} tree/edge/large"),
    shell("sort", f"sort -u {TEXT} tree/edge/large"),
    direct("diff -r", "diff", "-r", "tree/src", "tree/twin"),
    direct("cmp", "cmp", "tree/edge/buffer", "tree/edge/over-buffer"),
    shell(
        "tar", "tar -cf out/x.tar tree/src tree/edge tree/twin; mkdir out/x && tar -xf out/x.tar -C out/x; "
        "tar -tvf out/x.tar"),
    direct("cp -r", "cp", "-r", "tree/src", "out/copy"),
    # Named one by one: cp walks a directory by inode number, which differs from copy to copy; there are two
    # errors.
    shell("cp -a", "cp -a tree/src tree/edge/* out"),
    shell("gzip",
          "cp -r tree/src out/z && gzip -rn out/z && gzip -dc $(find out/z -name '*.gz' | sort) | md5sum"),
    shell("md5sum", f"md5sum {TEXT} tree/edge/[!f]*"),
    shell(
        "md5sum -c", f"md5sum {TEXT} > out/sums; for f in tree/src/part[34]/*.c; do echo x >> $f; done; "
        "md5sum -c out/sums"),
    shell("sha256sum", f"sha256sum {TEXT} tree/edge/large"),
    shell("awk",
          "gawk '{ n += NF; w[$1]++ } FNR == 1 { print FILENAME } END { print n, length(w) }' " + TEXT),
    shell("sed", f"sed -n -e '/define/p' -e '$=' {TEXT}"),
    shell("sed -i", "cp -r tree/src out/s; sed -i -e 's/define/DEFINE/' $(find out/s -type f | sort)"),
    direct("perl", "perl", "-e", PERL),
    direct("python3", "python3", "-c", PYTHON),
    direct("git status", "git", "-C", "tree/repo", "status", ignore=INDEX),
    # The first finds that inode numbers differ, and writes the index; the others ask about name after name in
    # memory.
    shell(
        "git status again",
        "s='git -C tree/repo -c core.preloadindex=false status'; $s; rm tree/repo/d3/f7; ln -s d0 tree/repo/link; "
        "for i in $(seq 20); do $s; done", ignore=INDEX),
    direct("git log", "git", "-C", "tree/repo", "log", "-p"),
    direct("git diff", "git", "-C", "tree/repo", "diff", ignore=INDEX),
    shell("sqlite3", "cat tree/src/*/*.csv > out/all.csv; sqlite3 out/db", stdin=SQL),
    direct("bash script", "bash", "-c", SCRIPT),
    shell("make with gcc", "cp -r tree/project out/p && make -C out/p test"),
    shell("xargs", "find tree/src -type f -print0 | sort -z | xargs -0 -n 20 wc -c"),
    shell("file", f"file tree/edge/* {TEXT}"),
    shell(
        "rm, mv, chmod",
        "cp -r tree/src out/m; mv out/m/part1 out/m/moved; chmod -R go-rwx out/m; rm -rf out/m/part2; "
        "ln -s moved out/m/link; touch out/m/new; mkdir -p out/m/a/b/c; rmdir out/m/a/b/c"),
    shell("stdin", "cat; echo; md5sum < tree/edge/large; wc -l", stdin="from standard input\n" * 50),
    shell("killed", "cat tree/src/part1/*.c; kill -KILL $$"),
    shell("no such program", "cat tree/edge/one; nothing-of-that-name"),
]
