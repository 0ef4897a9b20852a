// A file tool: looks at a container's files and changes them.
//
// usage: files ls [-l] [PATH...]      names in a directory, or of a file
//        files cat [PATH...]          contents; of standard input without a path, or for "-"
//        files write PATH [TEXT...]   a file with this text, or with standard input
//        files tree [PATH]            a directory and all that is in it
//        files mkdir PATH...          directories, with those above them
//        files rm [-r] PATH...        removes files; with -r directories too, and all that is in them
//        files mv SOURCE TARGET       another name
//        files stat PATH...           type, size, links and time
//
// `files -C DIRECTORY ls` works from another directory: paths that don't begin with a slash begin there.
// Under another name (a link named `ls`) it is that verb. Ends with 1 when something failed, with 2 when it didn't understand.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *verb;

static int failed(const char *path) {
  fprintf(stderr, "%s: %s: %s\n", verb, path, strerror(errno));
  return 1;
}

static int misused(const char *usage) {
  fprintf(stderr, "usage: %s\n", usage);
  return 2;
}

static char *join(const char *directory, const char *name) {
  size_t length = strlen(directory);
  const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
  char *path = malloc(length + strlen(name) + 2);
  if (path == NULL) abort();
  sprintf(path, "%s%s%s", directory, slash, name);
  return path;
}

// Names in a directory, sorted, without "." and "..". NULL at a failure.
struct names {
  char **list;
  size_t count;
};

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool read_names(const char *path, struct names *names) {
  *names = (struct names){0};
  DIR *directory = opendir(path);
  if (directory == NULL) return false;
  size_t room = 0;
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir(directory);
    if (entry == NULL) break;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (names->count == room) {
      room = room == 0 ? 64 : room * 2;
      names->list = realloc(names->list, room * sizeof *names->list);
      if (names->list == NULL) abort();
    }
    names->list[names->count++] = strdup(entry->d_name);
  }
  int error = errno;
  closedir(directory);
  errno = error;
  if (names->count > 0) qsort(names->list, names->count, sizeof *names->list, by_name);
  return error == 0;
}

static void free_names(struct names *names) {
  for (size_t index = 0; index < names->count; index++) free(names->list[index]);
  free(names->list);
}

static char type_letter(const struct stat *found) {
  if (S_ISLNK(found->st_mode)) return 'l';
  if (S_ISREG(found->st_mode)) return '-';
  return S_ISCHR(found->st_mode) ? 'c' : '?';
}

static void print_time(struct timespec time) {
  char text[32];
  struct tm utc;
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time.tv_sec, &utc));
  fputs(text, stdout);
}

static void print_target(const char *path) {
  char target[4096];
  ssize_t length = readlink(path, target, sizeof target);
  if (length >= 0) printf(" -> %.*s", (int)length, target);
}

static int print_entry(const char *path, const char *shown, bool with_details) {
  struct stat found;
  if (lstat(path, &found) != 0) return failed(path);
  if (with_details) {
    // What size a directory has is the file system's affair.
    if (S_ISDIR(found.st_mode)) printf("d %10s ", "-");
    else printf("%c %10lld ", type_letter(&found), (long long)found.st_size);
    print_time(found.st_mtim);
    putchar(' ');
  }
  fputs(shown, stdout);
  if (with_details && S_ISLNK(found.st_mode)) print_target(path);
  putchar('\n');
  return 0;
}

static int list(const char *path, bool with_details) {
  struct stat found;
  if (stat(path, &found) != 0 || !S_ISDIR(found.st_mode)) return print_entry(path, path, with_details);
  struct names names;
  if (!read_names(path, &names)) return failed(path);
  int status = 0;
  for (size_t index = 0; index < names.count; index++) {
    char *inside = join(path, names.list[index]);
    status |= print_entry(inside, names.list[index], with_details);
    free(inside);
  }
  free_names(&names);
  return status;
}

static int run_ls(int argc, char **argv) {
  bool with_details = argc > 0 && strcmp(argv[0], "-l") == 0;
  if (with_details) argc--, argv++;
  if (argc == 0) return list(".", with_details);
  int status = 0;
  for (int index = 0; index < argc; index++) {
    if (argc > 1) printf("%s%s:\n", index > 0 ? "\n" : "", argv[index]);
    status |= list(argv[index], with_details);
  }
  return status;
}

static char buffer[65536];

static int copy(int source, const char *source_name, int target, const char *target_name) {
  for (;;) {
    ssize_t got = read(source, buffer, sizeof buffer);
    if (got < 0) return failed(source_name);
    if (got == 0) return 0;
    for (ssize_t done = 0; done < got;) {
      ssize_t put = write(target, buffer + done, got - done);
      if (put < 0) return failed(target_name);
      done += put;
    }
  }
}

static int run_cat(int argc, char **argv) {
  if (argc == 0) return copy(STDIN_FILENO, "standard input", STDOUT_FILENO, "standard output");
  int status = 0;
  for (int index = 0; index < argc; index++) {
    bool from_input = strcmp(argv[index], "-") == 0;
    int source = from_input ? STDIN_FILENO : open(argv[index], O_RDONLY);
    if (source < 0) {
      status = failed(argv[index]);
      continue;
    }
    status |= copy(source, argv[index], STDOUT_FILENO, "standard output");
    if (!from_input) close(source);
  }
  return status;
}

static int run_write(int argc, char **argv) {
  if (argc < 1) return misused("files write PATH [TEXT...]");
  int target = open(argv[0], O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (target < 0) return failed(argv[0]);
  int status = 0;
  if (argc == 1) status = copy(STDIN_FILENO, "standard input", target, argv[0]);
  for (int index = 1; index < argc && status == 0; index++)
    if (dprintf(target, "%s%c", argv[index], index + 1 < argc ? ' ' : '\n') < 0) status = failed(argv[0]);
  if (close(target) != 0) status = failed(argv[0]);
  return status;
}

struct counts {
  unsigned directories, files;
};

static int tree(const char *path, const char *indent, struct counts *counts) {
  struct names names;
  if (!read_names(path, &names)) return failed(path);
  int status = 0;
  for (size_t index = 0; index < names.count; index++) {
    bool last = index + 1 == names.count;
    char *inside = join(path, names.list[index]);
    struct stat found;
    if (lstat(inside, &found) != 0) {
      status |= failed(inside);
      free(inside);
      continue;
    }
    printf("%s%s %s", indent, last ? "└──" : "├──", names.list[index]);
    if (S_ISLNK(found.st_mode)) print_target(inside);
    putchar('\n');
    if (S_ISDIR(found.st_mode)) {
      counts->directories++;
      char *deeper = malloc(strlen(indent) + 8);
      if (deeper == NULL) abort();
      sprintf(deeper, "%s%s", indent, last ? "    " : "│   ");
      status |= tree(inside, deeper, counts);
      free(deeper);
    } else {
      counts->files++;
    }
    free(inside);
  }
  free_names(&names);
  return status;
}

static int run_tree(int argc, char **argv) {
  const char *path = argc > 0 ? argv[0] : ".";
  struct counts counts = {0};
  puts(path);
  int status = tree(path, "", &counts);
  printf("\n%u %s, %u %s\n", counts.directories, counts.directories == 1 ? "directory" : "directories", counts.files,
         counts.files == 1 ? "file" : "files");
  return status;
}

static int make_directories(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    int result = mkdir(path, 0777);
    *slash = '/';
    if (result != 0 && errno != EEXIST) return failed(path);
  }
  struct stat found;
  if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode))) return 0;
  return failed(path);
}

static int run_mkdir(int argc, char **argv) {
  if (argc == 0) return misused("files mkdir PATH...");
  int status = 0;
  for (int index = 0; index < argc; index++) status |= make_directories(argv[index]);
  return status;
}

static int remove_path(const char *path, bool with_contents) {
  struct stat found;
  if (lstat(path, &found) != 0) return failed(path);
  if (!S_ISDIR(found.st_mode)) return unlink(path) == 0 ? 0 : failed(path);
  if (!with_contents) {
    errno = EISDIR;
    return failed(path);
  }
  struct names names;
  if (!read_names(path, &names)) return failed(path);
  int status = 0;
  for (size_t index = 0; index < names.count; index++) {
    char *inside = join(path, names.list[index]);
    status |= remove_path(inside, true);
    free(inside);
  }
  free_names(&names);
  return status == 0 && rmdir(path) != 0 ? failed(path) : status;
}

static int run_rm(int argc, char **argv) {
  bool with_contents = argc > 0 && strcmp(argv[0], "-r") == 0;
  if (with_contents) argc--, argv++;
  if (argc == 0) return misused("files rm [-r] PATH...");
  int status = 0;
  for (int index = 0; index < argc; index++) status |= remove_path(argv[index], with_contents);
  return status;
}

static int run_mv(int argc, char **argv) {
  if (argc != 2) return misused("files mv SOURCE TARGET");
  struct stat found;
  const char *name = strrchr(argv[0], '/');
  // Into a directory that is there, under the same name.
  char *target =
      stat(argv[1], &found) == 0 && S_ISDIR(found.st_mode) ? join(argv[1], name == NULL ? argv[0] : name + 1) : argv[1];
  return rename(argv[0], target) == 0 ? 0 : failed(argv[0]);
}

static int run_stat(int argc, char **argv) {
  if (argc == 0) return misused("files stat PATH...");
  int status = 0;
  for (int index = 0; index < argc; index++) {
    struct stat found;
    if (lstat(argv[index], &found) != 0) {
      status = failed(argv[index]);
      continue;
    }
    const char *type = S_ISDIR(found.st_mode)   ? "directory"
                       : S_ISLNK(found.st_mode) ? "symbolic link"
                       : S_ISREG(found.st_mode) ? "file"
                       : S_ISCHR(found.st_mode) ? "character device"
                                                : "other";
    printf("%s", argv[index]);
    if (S_ISLNK(found.st_mode)) print_target(argv[index]);
    printf("\n  type      %s\n", type);
    if (!S_ISDIR(found.st_mode))
      printf("  size      %lld\n  links     %llu\n", (long long)found.st_size, (unsigned long long)found.st_nlink);
    fputs("  modified  ", stdout);
    print_time(found.st_mtim);
    putchar('\n');
  }
  return status;
}

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
} VERBS[] = {
    {"ls", run_ls},       {"cat", run_cat}, {"write", run_write}, {"tree", run_tree},
    {"mkdir", run_mkdir}, {"rm", run_rm},   {"mv", run_mv},       {"stat", run_stat},
};

static int run_verb(const char *name, int argc, char **argv) {
  for (size_t index = 0; index < sizeof VERBS / sizeof *VERBS; index++) {
    if (strcmp(VERBS[index].name, name) != 0) continue;
    verb = VERBS[index].name;
    int status = VERBS[index].run(argc, argv);
    return fflush(stdout) == 0 ? status : failed("standard output");
  }
  return -1;
}

int main(int argc, char **argv) {
  const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
  const char *called = argc == 0 ? "" : slash == NULL ? argv[0] : slash + 1;
  int status = run_verb(called, argc - 1, argv + 1);
  if (status < 0 && argc > 2 && strcmp(argv[1], "-C") == 0) {
    verb = "files";
    if (chdir(argv[2]) != 0) return failed(argv[2]);
    argc -= 2, argv += 2;
  }
  if (status < 0 && argc > 1) status = run_verb(argv[1], argc - 2, argv + 2);
  if (status >= 0) return status;
  return misused("files [-C DIRECTORY] ls|cat|write|tree|mkdir|rm|mv|stat ...");
}
