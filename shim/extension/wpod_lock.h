/*
 * Advisory locks of wpod's containers, for programs in C and C++.
 *
 * WASI preview 1 has none. These are wpod's: a program that imports them runs only where the module "wpod_lock" is. They are
 * between the programs of one container, also on what is mounted in it; programs of the host don't see them.
 */
#ifndef WPOD_LOCK_H
#define WPOD_LOCK_H

/* As in <sys/file.h>, which wasi-libc doesn't have. */
#define WPOD_LOCK_SH 1 /* shared: several may have it */
#define WPOD_LOCK_EX 2 /* exclusive: nobody else has one */
#define WPOD_LOCK_NB 4 /* with one of them: EAGAIN in place of waiting */
#define WPOD_LOCK_UN 8 /* given back, as at the end of the last descriptor, or of the program */

/*
 * As flock(fd, operation): 0, or an errno of WASI. EBADF; EINVAL for an operation that isn't one, and for a file that can't be
 * locked (a pipe, a terminal, a device); EAGAIN (EWOULDBLOCK); EDEADLK where it would wait for a lock that the program itself
 * has by another descriptor, and would never get it; ENOLCK. Another kind isn't taken in one step: the old lock may be lost.
 */
int wpod_flock(int fd, unsigned operation) __attribute__((import_module("wpod_lock"), import_name("flock")));

#endif
