// SPDX-License-Identifier: MIT
/* A directory is read in every way after its entries were read ahead. */
#include "hazard.h"
#include <dirent.h>

static int count(DIR *d)
{
	int n = 0;

	while (readdir(d))
		n++;
	return n;
}

int main(int argc, char **argv)
{
	char name[64];
	int status;

	enter(argc, argv);
	MUST(mkdir("few", 0755) == 0);
	MUST(mkdir("many", 0755) == 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "%s/entry-with-a-rather-long-name-%d", i < 5 ? "few" : "many",
			 i);
		make_text(name, "x");
	}
	static const char *const dirs[] = { "few", "many" };
	for (int k = 0; k < 2; k++) {
		struct timespec t[2] = { { time(NULL) + 10, 0 }, { 1600000000, 0 } };

		utimensat(AT_FDCWD, dirs[k], t, 0);
		DIR *d = opendir(dirs[k]);
		say("entries", count(d));
		rewinddir(d);
		say("again", count(d));
		closedir(d);

		d = opendir(dirs[k]);
		readdir(d);
		readdir(d);
		long at = telldir(d);
		struct dirent *third = readdir(d);
		char want[256];
		snprintf(want, sizeof(want), "%s", third->d_name);
		count(d);
		seekdir(d, at);
		say("seekdir finds it", strcmp(readdir(d)->d_name, want) == 0);
		closedir(d);

		/* removed and made between open and read */
		d = opendir(dirs[k]);
		snprintf(name, sizeof(name), "%s/new", dirs[k]);
		make_text(name, "n");
		say("with the new one", count(d));
		closedir(d);
		d = opendir(dirs[k]);
		MUST(unlink(name) == 0);
		say("without it", count(d));
		closedir(d);

		/* opened, not read, handed to a child: the position is shared */
		d = opendir(dirs[k]);
		pid_t pid = fork();
		if (!pid)
			_exit(count(d) > 5 ? 1 : 0);
		waitpid(pid, &status, 0);
		say("child read", WEXITSTATUS(status));
		say("left for the parent", count(d));
		closedir(d);

		int fd = open(dirs[k], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
		say("flags", fcntl(fd, F_GETFL) & O_ACCMODE);
		say("cloexec", fcntl(fd, F_GETFD));
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		say("copy is next", copy - fd);
		close(copy);
		say("rewind", lseek(fd, 0, SEEK_SET));
		close(fd);
	}
	return 0;
}
