// Greets, and shows what a program is given: its arguments and its environment.
// usage: hello [ARGUMENT...]
#include <stdio.h>

extern char **environ;

int main(int argc, char **argv) {
  puts("Hello from a container!");
  puts("This is WebAssembly: no kernel, no root, no daemon, and nothing of your machine but what you grant.");
  puts("");

  puts("Arguments:");
  for (int index = 0; index < argc; index++) printf("  %d  %s\n", index, argv[index]);
  puts("Environment:");
  for (char **variable = environ; *variable != NULL; variable++) printf("  %s\n", *variable);
  // Output that can't be written is a failure that the caller should hear of.
  return fflush(stdout) == 0 ? 0 : 1;
}
