/*
 * Terminals of wpod's containers (`wpod run -t`), for programs in C and C++.
 *
 * WASI preview 1 has no functions for the size of a terminal and for its modes. These are wpod's: a program that imports
 * them runs only where the module "wpod_tty" is. Every function answers 0, or an errno of WASI: EBADF, ENOTTY for what is no
 * terminal (everything, without -t), EFAULT.
 */
#ifndef WPOD_TTY_H
#define WPOD_TTY_H

#include <stdint.h>

#define WPOD_TTY_FUNCTION(name) __attribute__((import_module("wpod_tty"), import_name(name)))

/* Modes: bits, all set at the start. 0 is a raw terminal. */
#define WPOD_TTY_CANONICAL 1u                 /* ICANON: input comes a line at a time, and can be edited until then */
#define WPOD_TTY_ECHO 2u                      /* ECHO: what is typed is shown */
#define WPOD_TTY_SIGNALS 4u                   /* ISIG: ^C and ^\ end the container; else they are characters */
#define WPOD_TTY_RETURN_TO_NEWLINE 8u         /* ICRNL: the return key gives a newline */
#define WPOD_TTY_NEWLINE_TO_RETURN_NEWLINE 16u /* OPOST, ONLCR: a newline goes to the beginning of the next line */

/* In characters; 0 is unknown. */
struct wpod_tty_size {
  uint16_t columns;
  uint16_t rows;
};

/* As ioctl(fd, TIOCGWINSZ). */
int wpod_tty_get_size(int fd, struct wpod_tty_size *size) WPOD_TTY_FUNCTION("get_size");

/* As tcgetattr and tcsetattr. A mode holds for what is written and typed from then on; EINVAL for a bit that means nothing. */
int wpod_tty_get_mode(int fd, uint32_t *mode) WPOD_TTY_FUNCTION("get_mode");
int wpod_tty_set_mode(int fd, uint32_t mode) WPOD_TTY_FUNCTION("set_mode");

/*
 * In place of SIGWINCH: a new descriptor, which poll finds readable when the size is another one than at the last read, or
 * at this call. read waits for that, and answers a struct wpod_tty_size. EMFILE.
 */
int wpod_tty_size_changes(int fd, int *changes) WPOD_TTY_FUNCTION("size_changes");

#endif
