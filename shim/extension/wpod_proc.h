/*
 * What programs in wpod's containers have between them, for C and C++.
 *
 * WASI preview 1 has no functions for it. These are wpod's: a program that imports them runs only where the module
 * "wpod_proc" is.
 */
#ifndef WPOD_PROC_H
#define WPOD_PROC_H

/*
 * As pipe(fds): 0, or an errno of WASI (EFAULT, EMFILE, ENFILE). fds[0] reads what fds[1] writes: 64 KiB between them, and
 * writes of up to 4,096 bytes stay in one piece. There are no signals: a write that nobody will read is EPIPE. Where a
 * program would have to wait for itself it may get EDEADLK.
 */
int wpod_pipe(int fds[2]) __attribute__((import_module("wpod_proc"), import_name("pipe")));

#endif
