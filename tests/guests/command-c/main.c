// A program of the C library, built for preview 1: it copies a file in a mount with its lines numbered.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s FROM TO\n", argv[0]);
    return 2;
  }
  FILE* from = fopen(argv[1], "r");
  if (from == NULL) {
    fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
    return 3;
  }
  FILE* to = fopen(argv[2], "w");
  if (to == NULL) {
    fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
    return 4;
  }
  char line[256];
  for (int number = 1; fgets(line, sizeof line, from) != NULL; ++number) fprintf(to, "%d %s", number, line);
  if (fclose(to) != 0) return 5;
  struct stat seen;
  if (stat(argv[2], &seen) != 0) return 6;
  printf("%lld\n", (long long)seen.st_size);
  return 0;
}
