/* The C ABI as a C99 program sees it: every function, and every wrong way to call it that must be an answer and
 * not a crash. Prints TAP. Data tests run once for each engine. */
#define _POSIX_C_SOURCE 200809L
#include <nacre/nacre.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int g_tests;
static int g_failed;

static void check(int passed, const char *what, int line) {
  ++g_tests;
  if (!passed) ++g_failed;
  printf("%s %d - %s (line %d)\n", passed ? "ok" : "not ok", g_tests, what, line);
}
#define CHECK(expr) check((expr) != 0, #expr, __LINE__)
#define IS(expr, status) check_status((expr), (status), #expr, __LINE__)

static void check_status(int got, int want, const char *what, int line) {
  check(got == want, what, line);
  if (got != want)
    printf("#   got %s, want %s; message: %s\n", nacre_status_name(got), nacre_status_name(want), nacre_errormsg());
}

static int says(const char *part) { return strstr(nacre_errormsg(), part) != NULL; }

/* ---- helpers ---- */

static nacre_db *open_memory(const char *engine) {
  nacre_options *options = NULL;
  nacre_db *db = NULL;
  if (nacre_options_new(&options) == NACRE_OK && nacre_options_set_medium(options, "memory") == NACRE_OK &&
      nacre_options_set_size(options, 16u << 20) == NACRE_OK &&
      nacre_options_set_engine(options, engine) == NACRE_OK)
    (void)nacre_open(NULL, options, &db);
  nacre_options_delete(options);
  return db;
}

static nacre_table *default_of(nacre_db *db) {
  nacre_table *table = NULL;
  (void)nacre_table_default(db, &table);
  return table;
}

static int put(nacre_table *table, const char *key, const char *value) {
  return nacre_put(table, key, strlen(key), value, strlen(value));
}

static int holds(nacre_table *table, const char *key, const char *value) {
  char buffer[256];
  size_t bytes = 0;
  return nacre_get_copy(table, key, strlen(key), buffer, sizeof buffer, &bytes) == NACRE_OK &&
         bytes == strlen(value) && memcmp(buffer, value, bytes) == 0;
}

static uint64_t count_of(nacre_table *table) {
  uint64_t count = UINT64_MAX;
  (void)nacre_count(table, &count);
  return count;
}

struct seen {
  int calls;
  int stop_after;
  int problems;
  char last[256];
  size_t last_bytes;
};

static void see_value(const char *value, size_t value_bytes, void *arg) {
  struct seen *seen = arg;
  ++seen->calls;
  seen->last_bytes = value_bytes;
  if (value_bytes <= sizeof seen->last) memcpy(seen->last, value, value_bytes);
}

static int see_pair(const char *key, size_t key_bytes, const char *value, size_t value_bytes, void *arg) {
  struct seen *seen = arg;
  (void)key;
  (void)key_bytes;
  see_value(value, value_bytes, arg);
  return seen->calls == seen->stop_after;
}

static int see_figure(const char *name, uint64_t value, const char *text, void *arg) {
  struct seen *seen = arg;
  (void)value;
  (void)text;
  ++seen->calls;
  if (strcmp(name, "problem") == 0) ++seen->problems;
  return seen->calls == seen->stop_after;
}

static int see_table(const char *name, size_t name_bytes, const char *engine, void *arg) {
  struct seen *seen = arg;
  see_value(name, name_bytes, arg);
  if (strcmp(engine, "hash") != 0 && strcmp(engine, "dram") != 0) ++seen->problems;
  return seen->calls == seen->stop_after;
}

/* ---- what needs no pool ---- */

struct classes {
  int calls;
  int stop_after;
  int wrong; /* calls whose figures do not add up, or out of order */
  uint64_t last_unit;
  uint64_t wanted; /* the unit looked for */
  nacre_class_info found;
};

static int see_class(const nacre_class_info *info, size_t info_bytes, void *arg) {
  struct classes *seen = arg;
  ++seen->calls;
  seen->wrong += info_bytes != sizeof *info || info->unit_bytes <= seen->last_unit ||
                 info->live_bytes != info->live_units * info->unit_bytes ||
                 info->live_bytes + info->free_bytes + info->tail_bytes != info->slab_bytes;
  seen->last_unit = info->unit_bytes;
  if (info->unit_bytes == seen->wanted) seen->found = *info;
  return seen->calls == seen->stop_after;
}

/* The class of this unit, all zero if there is none. */
static nacre_class_info class_of(nacre_db *db, uint64_t unit_bytes) {
  struct classes seen;
  memset(&seen, 0, sizeof seen);
  seen.wanted = unit_bytes;
  IS(nacre_class_list(db, see_class, &seen), NACRE_OK);
  CHECK(seen.calls > 10 && seen.wrong == 0);
  return seen.found;
}

static int see_suggestion(const nacre_suggestion *suggestion, size_t bytes, void *arg) {
  nacre_suggestion *last = arg;
  if (bytes == sizeof *suggestion) *last = *suggestion;
  return last->records == 7;
}

static void test_names(void) {
  int status;
  int named = 0;
  CHECK(strlen(nacre_version()) >= 5 && strchr(nacre_version(), '.') != NULL);
  for (status = NACRE_OK; status <= NACRE_INTERNAL; ++status)
    named += strcmp(nacre_status_name(status), "unknown") != 0;
  CHECK(named == NACRE_INTERNAL + 1);
  CHECK(strcmp(nacre_status_name(NACRE_OUT_OF_SPACE), "out_of_space") == 0);
  CHECK(strcmp(nacre_status_name(-1), "unknown") == 0);
  CHECK(strcmp(nacre_status_name(NACRE_INTERNAL + 1), "unknown") == 0);
  CHECK(strcmp(nacre_status_name(256), "unknown") == 0); /* not cut to a byte */
}

static void test_options(void) {
  nacre_options *options = NULL;
  nacre_options *dead = NULL;
  nacre_db *db = NULL;
  int local = 0;
  IS(nacre_options_new(NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_options_new(&options), NACRE_OK);
  IS(nacre_options_set_create_if_missing(options, 1), NACRE_OK);
  IS(nacre_options_set_error_if_exists(options, 1), NACRE_OK);
  IS(nacre_options_set_read_only(options, 0), NACRE_OK);
  IS(nacre_options_set_size(options, 1u << 20), NACRE_OK);
  IS(nacre_options_set_size(options, (1u << 20) - 1), NACRE_INVALID_ARGUMENT);
  CHECK(says("1048575") && says("1048576"));
  IS(nacre_options_set_grow(options, 0), NACRE_OK);
  IS(nacre_options_set_grow(options, 1), NACRE_OK);
  IS(nacre_options_set_max_size(options, 0), NACRE_OK);
  IS(nacre_options_set_max_size(options, 1u << 20), NACRE_OK);
  IS(nacre_options_set_max_size(options, 1000), NACRE_INVALID_ARGUMENT);
  CHECK(says("1000") && says("1048576"));
  IS(nacre_options_set_grow_step(options, 1u << 20), NACRE_OK);
  IS(nacre_shrink(NULL), NACRE_BAD_HANDLE);
  IS(nacre_options_set_medium(options, "auto"), NACRE_OK);
  IS(nacre_options_set_medium(options, "dax"), NACRE_OK);
  IS(nacre_options_set_medium(options, "msync"), NACRE_OK);
  IS(nacre_options_set_medium(options, "memory"), NACRE_OK);
  IS(nacre_options_set_medium(options, "tape"), NACRE_INVALID_ARGUMENT);
  CHECK(says("tape") && says("memory"));
  IS(nacre_options_set_medium(options, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_options_set_engine(options, "dram"), NACRE_OK);
  IS(nacre_options_set_engine(options, "hash"), NACRE_OK);
  IS(nacre_options_set_engine(options, "none"), NACRE_INVALID_ARGUMENT);
  IS(nacre_options_set_engine(options, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_options_set_commit_form(options, "one_fence"), NACRE_OK);
  IS(nacre_options_set_commit_form(options, "strict"), NACRE_OK);
  IS(nacre_options_set_commit_form(options, "lax"), NACRE_INVALID_ARGUMENT);
  IS(nacre_options_set_commit_form(options, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_options_add_class(options, 304, 0), NACRE_OK);
  IS(nacre_options_add_class(options, 640, 64), NACRE_OK);
  IS(nacre_options_add_class(options, 40, 0), NACRE_INVALID_ARGUMENT);
  CHECK(says("40"));
  IS(nacre_options_add_class(options, 96, 64), NACRE_INVALID_ARGUMENT);
  CHECK(says("96") && says("64"));
  IS(nacre_options_add_class(options, UINT64_MAX, 0), NACRE_INVALID_ARGUMENT);
  IS(nacre_options_add_class(options, 304, UINT64_MAX), NACRE_INVALID_ARGUMENT);
  IS(nacre_options_add_class(NULL, 304, 0), NACRE_BAD_HANDLE);
  dead = options;
  nacre_options_delete(options);
  nacre_options_delete(dead); /* twice */
  nacre_options_delete(NULL);
  nacre_options_delete((nacre_options *)&local);
  IS(nacre_options_set_size(dead, 1u << 20), NACRE_BAD_HANDLE);
  IS(nacre_options_set_read_only(NULL, 1), NACRE_BAD_HANDLE);
  IS(nacre_options_set_read_only((nacre_options *)&local, 1), NACRE_BAD_HANDLE);
  IS(nacre_open("x", dead, &db), NACRE_BAD_HANDLE);
  CHECK(db == NULL);
}

static void test_open_close(const char *folder) {
  char path[512];
  nacre_options *options = NULL;
  nacre_db *db = NULL;
  nacre_db *second = NULL;
  nacre_table *table = NULL;
  snprintf(path, sizeof path, "%s/pool.nacre", folder);
  IS(nacre_open(path, NULL, NULL), NACRE_INVALID_ARGUMENT);
  db = (nacre_db *)path;
  IS(nacre_open(path, NULL, &db), NACRE_NOT_FOUND);
  CHECK(db == NULL && *nacre_errormsg() != '\0');
  IS(nacre_open(NULL, NULL, &db), NACRE_INVALID_ARGUMENT);
  (void)nacre_options_new(&options);
  (void)nacre_options_set_create_if_missing(options, 1);
  (void)nacre_options_set_size(options, 16u << 20);
  IS(nacre_open(path, options, &db), NACRE_OK);
  IS(nacre_open(path, options, &second), NACRE_LOCKED);
  CHECK(second == NULL && *nacre_errormsg() != '\0');
  table = default_of(db);
  IS(put(table, "alice", "1"), NACRE_OK);
  IS(nacre_close(db), NACRE_OK);
  IS(nacre_close(db), NACRE_BAD_HANDLE);
  CHECK(says("closed"));
  IS(put(table, "alice", "2"), NACRE_BAD_HANDLE); /* its pool went */
  IS(nacre_table_close(table), NACRE_BAD_HANDLE);
  IS(nacre_open(path, NULL, &db), NACRE_OK);
  table = default_of(db);
  CHECK(holds(table, "alice", "1"));
  IS(nacre_close(db), NACRE_OK);
  (void)nacre_options_set_error_if_exists(options, 1);
  IS(nacre_open(path, options, &db), NACRE_EXISTS);
  (void)nacre_options_set_error_if_exists(options, 0);
  (void)nacre_options_set_read_only(options, 1);
  IS(nacre_open(path, options, &db), NACRE_OK);
  table = default_of(db);
  CHECK(holds(table, "alice", "1"));
  IS(put(table, "bob", "2"), NACRE_READ_ONLY);
  CHECK(*nacre_errormsg() != '\0');
  IS(nacre_table_drop(db, "alice", 5), NACRE_READ_ONLY);
  IS(nacre_close(db), NACRE_OK);
  nacre_options_delete(options);
  (void)unlink(path);
}

static void test_bad_handles(void) {
  nacre_db *db = open_memory("dram");
  nacre_table *table = default_of(db);
  nacre_iterator *iterator = NULL;
  uint64_t number = 0;
  struct seen seen = {0};
  char bytes[64] = {0};
  nacre_table *foreign = (nacre_table *)bytes;
  IS(nacre_close(NULL), NACRE_BAD_HANDLE);
  CHECK(says("null"));
  IS(nacre_close((nacre_db *)bytes), NACRE_BAD_HANDLE);
  CHECK(says("not a nacre handle"));
  IS(nacre_close((nacre_db *)(void *)table), NACRE_BAD_HANDLE); /* another kind */
  CHECK(says("table"));
  IS(nacre_close((nacre_db *)(uintptr_t)-1), NACRE_BAD_HANDLE);
  IS(nacre_close((nacre_db *)((uintptr_t)db + ((uintptr_t)1 << 32))), NACRE_BAD_HANDLE); /* a later generation */
  IS(nacre_close((nacre_db *)((uintptr_t)db + 12345)), NACRE_BAD_HANDLE);
  IS(put((nacre_table *)(void *)db, "k", "v"), NACRE_BAD_HANDLE);
  IS(put(foreign, "k", "v"), NACRE_BAD_HANDLE);
  IS(put(NULL, "k", "v"), NACRE_BAD_HANDLE);
  IS(nacre_get(foreign, "k", 1, see_value, &seen), NACRE_BAD_HANDLE);
  IS(nacre_get_copy(NULL, "k", 1, bytes, 1, NULL), NACRE_BAD_HANDLE);
  IS(nacre_remove(foreign, "k", 1), NACRE_BAD_HANDLE);
  IS(nacre_exists(foreign, "k", 1), NACRE_BAD_HANDLE);
  IS(nacre_count(foreign, &number), NACRE_BAD_HANDLE);
  IS(nacre_scan(foreign, see_pair, &seen), NACRE_BAD_HANDLE);
  IS(nacre_clear(NULL), NACRE_BAD_HANDLE);
  IS(nacre_table_close(NULL), NACRE_BAD_HANDLE);
  IS(nacre_table_default(NULL, &table), NACRE_BAD_HANDLE);
  CHECK(table == NULL);
  IS(nacre_table_open(NULL, "t", 1, "dram", &table), NACRE_BAD_HANDLE);
  IS(nacre_table_drop(NULL, "t", 1), NACRE_BAD_HANDLE);
  IS(nacre_table_list(NULL, see_table, &seen), NACRE_BAD_HANDLE);
  IS(nacre_stats(NULL, see_figure, &seen), NACRE_BAD_HANDLE);
  IS(nacre_info((nacre_db *)bytes, see_figure, &seen), NACRE_BAD_HANDLE);
  IS(nacre_check(NULL, see_figure, &seen), NACRE_BAD_HANDLE);
  IS(nacre_thread_counters(NULL, &number, NULL, NULL), NACRE_BAD_HANDLE);
  IS(nacre_iterator_new(foreign, &iterator), NACRE_BAD_HANDLE);
  IS(nacre_iterator_next(NULL), NACRE_BAD_HANDLE);
  IS(nacre_iterator_get((nacre_iterator *)bytes, NULL, NULL, NULL, NULL), NACRE_BAD_HANDLE);
  IS(nacre_iterator_delete(NULL), NACRE_BAD_HANDLE);
  CHECK(seen.calls == 0);
  IS(nacre_close(db), NACRE_OK);
}

/* A slot is used again with another generation: old handles stay bad. */
static void test_handle_reuse(void) {
  nacre_db *db = open_memory("dram");
  nacre_table *first = default_of(db);
  nacre_table *table = NULL;
  int same = 0;
  int revived = 0;
  int i;
  IS(nacre_table_close(first), NACRE_OK);
  for (i = 0; i < 5000; ++i) {
    table = default_of(db);
    same += table == first;
    revived += nacre_exists(first, "k", 1) != NACRE_BAD_HANDLE;
    (void)nacre_table_close(table);
  }
  CHECK(same == 0);
  CHECK(revived == 0);
  IS(nacre_table_close(first), NACRE_BAD_HANDLE);
  IS(nacre_close(db), NACRE_OK);
}

/* More handles than one chunk of the registry holds. */
static void test_many_handles(void) {
  enum { kCount = 3000 };
  static nacre_table *tables[kCount];
  nacre_db *db = open_memory("dram");
  int good = 0;
  int bad = 0;
  int i;
  for (i = 0; i < kCount; ++i) tables[i] = default_of(db);
  for (i = 0; i < kCount; ++i) good += nacre_exists(tables[i], "k", 1) == NACRE_NOT_FOUND;
  CHECK(good == kCount);
  for (i = 0; i < kCount; i += 2) good -= nacre_table_close(tables[i]) == NACRE_OK;
  CHECK(good == kCount / 2);
  IS(nacre_close(db), NACRE_OK);
  for (i = 0; i < kCount; ++i) bad += nacre_exists(tables[i], "k", 1) == NACRE_BAD_HANDLE;
  CHECK(bad == kCount);
}

/* ---- tables ---- */

static void test_tables(const char *engine) {
  const char *other = strcmp(engine, "hash") == 0 ? "dram" : "hash";
  nacre_db *db = open_memory(engine);
  nacre_table *users = NULL;
  nacre_table *again = NULL;
  nacre_table *plain = default_of(db);
  nacre_iterator *iterator = NULL;
  struct seen seen = {0};
  char name[256];
  memset(name, 'n', sizeof name);
  IS(nacre_table_open(db, "users", 5, NULL, &users), NACRE_NOT_FOUND);
  CHECK(users == NULL && *nacre_errormsg() != '\0');
  IS(nacre_table_open(db, "users", 5, engine, &users), NACRE_OK);
  IS(nacre_table_open(db, "users", 5, NULL, &again), NACRE_OK);
  IS(put(users, "k", "v"), NACRE_OK);
  CHECK(holds(again, "k", "v"));
  CHECK(!holds(plain, "k", "v")); /* another key space */
  IS(nacre_table_close(again), NACRE_OK);
  IS(nacre_table_close(again), NACRE_BAD_HANDLE);
  CHECK(holds(users, "k", "v"));
  IS(nacre_table_open(db, "users", 5, other, &again), NACRE_INVALID_ARGUMENT);
  CHECK(again == NULL);
  IS(nacre_table_open(db, "users", 5, "btree9", &again), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_open(db, "users", 5, engine, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_open(db, NULL, 5, engine, &again), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_open(db, NULL, 0, engine, &again), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_open(db, "", 0, engine, &again), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_open(db, name, 256, engine, &again), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_open(db, name, 255, engine, &again), NACRE_OK);
  IS(nacre_table_drop(db, name, 255), NACRE_OK);
  IS(nacre_table_open(db, "a\0b", 3, engine, &again), NACRE_OK); /* names are bytes */
  IS(nacre_table_list(db, see_table, &seen), NACRE_OK);
  CHECK(seen.calls == 3 && seen.problems == 0);
  seen.calls = 0;
  seen.stop_after = 2;
  IS(nacre_table_list(db, see_table, &seen), NACRE_STOPPED);
  CHECK(seen.calls == 2);
  IS(nacre_table_list(db, NULL, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_default(db, NULL), NACRE_INVALID_ARGUMENT);

  IS(nacre_iterator_new(users, &iterator), NACRE_OK);
  IS(nacre_iterator_next(iterator), NACRE_OK);
  IS(nacre_table_drop(db, "users", 5), NACRE_OK);
  IS(put(users, "k", "v"), NACRE_BAD_HANDLE);
  IS(nacre_iterator_next(iterator), NACRE_BAD_HANDLE);
  IS(nacre_iterator_delete(iterator), NACRE_BAD_HANDLE);
  IS(nacre_table_close(users), NACRE_BAD_HANDLE);
  IS(nacre_table_drop(db, "users", 5), NACRE_NOT_FOUND);
  IS(nacre_table_open(db, "users", 5, engine, &users), NACRE_OK); /* new and empty */
  CHECK(count_of(users) == 0);
  IS(nacre_table_drop(db, "default", 7), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_drop(db, NULL, 3), NACRE_INVALID_ARGUMENT);
  IS(nacre_table_drop(db, "", 0), NACRE_INVALID_ARGUMENT);
  IS(put(plain, "k", "still here"), NACRE_OK);
  CHECK(holds(plain, "k", "still here"));
  IS(nacre_close(db), NACRE_OK);
  IS(nacre_table_close(plain), NACRE_BAD_HANDLE);
}

/* ---- data ---- */

static void test_data(const char *engine) {
  nacre_db *db = open_memory(engine);
  nacre_table *table = default_of(db);
  struct seen seen = {0};
  char buffer[8] = "unused!";
  size_t bytes = 77;
  IS(put(table, "k", "one"), NACRE_OK);
  IS(put(table, "k", "three"), NACRE_OK);
  CHECK(holds(table, "k", "three"));
  CHECK(count_of(table) == 1);
  IS(nacre_get(table, "k", 1, see_value, &seen), NACRE_OK);
  CHECK(seen.calls == 1 && seen.last_bytes == 5 && memcmp(seen.last, "three", 5) == 0);
  IS(nacre_get(table, "no", 2, see_value, &seen), NACRE_NOT_FOUND);
  CHECK(seen.calls == 1);
  IS(nacre_get_copy(table, "k", 1, buffer, 4, &bytes), NACRE_OUT_OF_MEMORY);
  CHECK(bytes == 5 && strcmp(buffer, "unused!") == 0);
  IS(nacre_get_copy(table, "k", 1, NULL, 0, &bytes), NACRE_OUT_OF_MEMORY); /* asks for the length */
  CHECK(bytes == 5);
  IS(nacre_get_copy(table, "k", 1, buffer, 5, NULL), NACRE_OK);
  CHECK(memcmp(buffer, "threed!", 7) == 0);
  IS(nacre_get_copy(table, "no", 2, buffer, 5, &bytes), NACRE_NOT_FOUND);
  IS(nacre_exists(table, "k", 1), NACRE_OK);
  IS(nacre_exists(table, "no", 2), NACRE_NOT_FOUND);
  IS(nacre_remove(table, "k", 1), NACRE_OK);
  IS(nacre_remove(table, "k", 1), NACRE_NOT_FOUND);
  CHECK(count_of(table) == 0);

  /* empty keys and values, with and without a pointer; bytes of any value */
  IS(nacre_put(table, NULL, 0, NULL, 0), NACRE_OK);
  IS(nacre_exists(table, "", 0), NACRE_OK);
  IS(nacre_get_copy(table, NULL, 0, NULL, 0, &bytes), NACRE_OK);
  CHECK(bytes == 0);
  seen.calls = 0;
  IS(nacre_get(table, "", 0, see_value, &seen), NACRE_OK);
  CHECK(seen.calls == 1 && seen.last_bytes == 0);
  IS(nacre_put(table, "\0\xff", 2, "\0\0", 2), NACRE_OK);
  IS(nacre_exists(table, "\0", 1), NACRE_NOT_FOUND);
  CHECK(count_of(table) == 2);

  IS(nacre_put(table, NULL, 1, "v", 1), NACRE_INVALID_ARGUMENT);
  IS(nacre_put(table, "k", 1, NULL, 1), NACRE_INVALID_ARGUMENT);
  CHECK(says("nacre_put") && says("value"));
  IS(nacre_get(table, NULL, 1, see_value, &seen), NACRE_INVALID_ARGUMENT);
  IS(nacre_get(table, "k", 1, NULL, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_get_copy(table, "", 0, NULL, 1, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_get_copy(table, NULL, 9, buffer, 1, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_remove(table, NULL, 1), NACRE_INVALID_ARGUMENT);
  IS(nacre_exists(table, NULL, 1), NACRE_INVALID_ARGUMENT);
  IS(nacre_count(table, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_scan(table, NULL, NULL), NACRE_INVALID_ARGUMENT);

  seen.calls = 0;
  IS(nacre_scan(table, see_pair, &seen), NACRE_OK);
  CHECK(seen.calls == 2);
  seen.calls = 0;
  seen.stop_after = 1;
  IS(nacre_scan(table, see_pair, &seen), NACRE_STOPPED);
  CHECK(seen.calls == 1);
  IS(nacre_clear(table), NACRE_OK);
  CHECK(count_of(table) == 0);
  IS(nacre_exists(table, "", 0), NACRE_NOT_FOUND);
  IS(nacre_close(db), NACRE_OK);
}

static void test_iterator(const char *engine) {
  enum { kKeys = 500 };
  nacre_db *db = open_memory(engine);
  nacre_table *table = default_of(db);
  nacre_iterator *iterator = NULL;
  nacre_iterator *left_open = NULL;
  static unsigned char seen[kKeys];
  const char *key = NULL;
  const char *value = NULL;
  size_t key_bytes = 0;
  size_t value_bytes = 0;
  int pairs = 0;
  int wrong = 0;
  int i;
  memset(seen, 0, sizeof seen);
  IS(nacre_iterator_new(table, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_iterator_new(table, &iterator), NACRE_OK);
  IS(nacre_iterator_next(iterator), NACRE_NOT_FOUND); /* an empty table */
  IS(nacre_iterator_next(iterator), NACRE_NOT_FOUND);
  IS(nacre_iterator_delete(iterator), NACRE_OK);
  IS(nacre_iterator_delete(iterator), NACRE_BAD_HANDLE);
  IS(nacre_iterator_next(iterator), NACRE_BAD_HANDLE);
  for (i = 0; i < kKeys; ++i) {
    char text[32];
    snprintf(text, sizeof text, "%d", i);
    wrong += put(table, text, text) != NACRE_OK;
  }
  CHECK(wrong == 0);
  IS(nacre_iterator_new(table, &iterator), NACRE_OK);
  IS(nacre_iterator_get(iterator, &key, NULL, NULL, NULL), NACRE_INVALID_ARGUMENT); /* before the first pair */
  while (nacre_iterator_next(iterator) == NACRE_OK) {
    char text[32] = {0};
    if (nacre_iterator_get(iterator, &key, &key_bytes, &value, &value_bytes) != NACRE_OK || key_bytes > 8 ||
        key_bytes != value_bytes || memcmp(key, value, key_bytes) != 0) {
      ++wrong;
      break;
    }
    memcpy(text, key, key_bytes);
    i = atoi(text);
    if (i < 0 || i >= kKeys || seen[i]++ != 0) ++wrong;
    ++pairs;
  }
  CHECK(pairs == kKeys && wrong == 0);
  IS(nacre_iterator_get(iterator, &key, NULL, NULL, NULL), NACRE_INVALID_ARGUMENT); /* after the last */
  IS(nacre_iterator_delete(iterator), NACRE_OK);
  IS(nacre_iterator_new(table, &iterator), NACRE_OK);
  IS(nacre_iterator_next(iterator), NACRE_OK);
  IS(nacre_iterator_get(iterator, NULL, NULL, NULL, NULL), NACRE_OK);
  IS(nacre_table_close(table), NACRE_OK);
  IS(nacre_iterator_next(iterator), NACRE_OK); /* the pool keeps the table */
  IS(nacre_iterator_delete(iterator), NACRE_OK);
  table = default_of(db);
  IS(nacre_iterator_new(table, &left_open), NACRE_OK);
  IS(nacre_iterator_next(left_open), NACRE_OK);
  IS(nacre_close(db), NACRE_OK);
  IS(nacre_iterator_next(left_open), NACRE_BAD_HANDLE);
  IS(nacre_iterator_delete(left_open), NACRE_BAD_HANDLE);
}

static void test_figures(const char *engine) {
  nacre_db *db = open_memory(engine);
  nacre_table *table = default_of(db);
  struct seen seen = {0};
  uint64_t fences = UINT64_MAX;
  uint64_t lines = UINT64_MAX;
  uint64_t bytes = UINT64_MAX;
  IS(put(table, "k", "v"), NACRE_OK);
  IS(nacre_stats(db, see_figure, &seen), NACRE_OK);
  CHECK(seen.calls > 0);
  seen.calls = 0;
  IS(nacre_info(db, see_figure, &seen), NACRE_OK);
  CHECK(seen.calls > 0);
  seen.calls = 0;
  IS(nacre_check(db, see_figure, &seen), NACRE_OK);
  CHECK(seen.calls > 0 && seen.problems == 0);
  seen.calls = 0;
  seen.stop_after = 1;
  IS(nacre_stats(db, see_figure, &seen), NACRE_STOPPED);
  CHECK(seen.calls == 1);
  IS(nacre_stats(db, NULL, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_info(db, NULL, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_check(db, NULL, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_thread_counters(db, &fences, &lines, &bytes), NACRE_OK);
  CHECK(fences != UINT64_MAX && lines != UINT64_MAX && bytes != UINT64_MAX);
  IS(nacre_thread_counters(db, NULL, NULL, NULL), NACRE_OK);
  IS(nacre_close(db), NACRE_OK);
}

/* ---- callbacks that call back ---- */

struct reentry {
  nacre_db *db;
  nacre_db *other_db;
  nacre_table *table;
  const char *engine;
  int calls;
  int put_status;
  int get_holds;
  int close_status;
  int other_close_status;
  int drop_status;
  int open_status;
  int table_close_status;
  int iterator_status;
};

static void reenter(struct reentry *r) {
  nacre_table *temporary = NULL;
  nacre_iterator *iterator = NULL;
  ++r->calls;
  r->put_status = put(r->table, "k", "changed inside");
  r->get_holds = holds(r->table, "k", "changed inside");
  r->close_status = nacre_close(r->db);
  r->other_close_status = nacre_close(r->other_db);
  r->drop_status = nacre_table_drop(r->db, "victim", 6);
  r->open_status = nacre_table_open(r->db, "made inside", 11, r->engine, &temporary);
  r->table_close_status = nacre_table_close(temporary);
  r->iterator_status = nacre_iterator_new(r->table, &iterator);
  if (r->iterator_status == NACRE_OK) r->iterator_status = nacre_iterator_next(iterator);
  if (r->iterator_status == NACRE_OK) r->iterator_status = nacre_iterator_delete(iterator);
}

static void reenter_value(const char *value, size_t value_bytes, void *arg) {
  (void)value;
  (void)value_bytes;
  reenter(arg);
}
static int reenter_pair(const char *key, size_t key_bytes, const char *value, size_t value_bytes, void *arg) {
  (void)key;
  (void)key_bytes;
  (void)value;
  (void)value_bytes;
  reenter(arg);
  return 1;
}
static int reenter_figure(const char *name, uint64_t value, const char *text, void *arg) {
  (void)name;
  (void)value;
  (void)text;
  reenter(arg);
  return 1;
}
static int reenter_table(const char *name, size_t name_bytes, const char *engine, void *arg) {
  (void)name;
  (void)name_bytes;
  (void)engine;
  reenter(arg);
  return 1;
}

static void check_reentry(struct reentry *r, const char *from) {
  printf("# reentry from %s\n", from);
  CHECK(r->calls == 1);
  IS(r->put_status, NACRE_OK);
  CHECK(r->get_holds);
  IS(r->close_status, NACRE_INVALID_ARGUMENT);
  IS(r->other_close_status, NACRE_INVALID_ARGUMENT); /* two threads that close each other's pool would hang */
  IS(r->drop_status, NACRE_INVALID_ARGUMENT);
  IS(r->open_status, NACRE_OK);
  IS(r->table_close_status, NACRE_OK);
  IS(r->iterator_status, NACRE_OK);
  r->calls = 0;
}

static void test_classes(void) {
  nacre_options *options = NULL;
  nacre_db *db = NULL;
  struct classes seen;
  nacre_size_count histogram[2] = {{384, 1000}, {16, 3}};
  nacre_suggestion last = {0, 0, 0, 0};
  nacre_suggestion_totals totals;
  char value[304 - 12 - 3];
  IS(nacre_options_new(&options), NACRE_OK);
  IS(nacre_options_set_create_if_missing(options, 1), NACRE_OK);
  IS(nacre_options_set_medium(options, "memory"), NACRE_OK);
  IS(nacre_options_set_size(options, 16u << 20), NACRE_OK);
  IS(nacre_options_add_class(options, nacre_class_unit_of_record(3, sizeof value), 0), NACRE_OK);
  IS(nacre_open(NULL, options, &db), NACRE_OK);
  CHECK(nacre_class_unit_of_record(3, sizeof value) == 304);
  CHECK(nacre_class_unit_of_record(0, 0) == 32);
  CHECK(nacre_record_bytes(3, sizeof value) == 304 && nacre_record_bytes(255, 1) == 268);
  CHECK(nacre_record_bytes(256, 1) == 273 && nacre_record_bytes(1, UINT64_C(1) << 32) == (UINT64_C(1) << 32) + 17);
  CHECK(nacre_record_bytes(UINT64_MAX, 5) >= UINT64_MAX - 16);
  CHECK(class_of(db, 304).align == 16 && class_of(db, 304).retired == 0 && class_of(db, 304).slabs == 0);
  memset(value, 'v', sizeof value);
  IS(nacre_put(default_of(db), "key", 3, value, sizeof value), NACRE_OK);
  CHECK(class_of(db, 304).live_units == 1 && class_of(db, 304).slabs == 1);
  CHECK(class_of(db, 304).fragmentation_permille > 900);
  IS(nacre_class_add(db, 304, 0), NACRE_EXISTS);
  CHECK(says("304"));
  IS(nacre_class_add(db, 40, 0), NACRE_INVALID_ARGUMENT);
  IS(nacre_class_add(db, 9u << 20, 0), NACRE_INVALID_ARGUMENT);
  CHECK(says("9437184") && says("8388608"));
  IS(nacre_class_add(db, UINT64_MAX, 0), NACRE_INVALID_ARGUMENT);
  IS(nacre_class_add(db, 448, 64), NACRE_OK);
  CHECK(class_of(db, 448).align == 64);
  IS(nacre_class_retire(db, 304), NACRE_OK);
  CHECK(class_of(db, 304).retired == 1 && class_of(db, 304).live_units == 1);
  CHECK(count_of(default_of(db)) == 1);
  IS(nacre_class_retire(db, 304), NACRE_NOT_FOUND);
  CHECK(says("304") && says("retired"));
  IS(nacre_class_retire(db, 1000), NACRE_NOT_FOUND);
  CHECK(says("1000"));
  IS(nacre_class_retire(db, UINT64_MAX), NACRE_INVALID_ARGUMENT);
  IS(nacre_class_add(db, 304, 0), NACRE_OK);
  CHECK(class_of(db, 304).retired == 0 && class_of(db, 304).live_units == 1);
  memset(&seen, 0, sizeof seen);
  seen.stop_after = 2;
  IS(nacre_class_list(db, see_class, &seen), NACRE_STOPPED);
  CHECK(seen.calls == 2);
  IS(nacre_class_list(db, NULL, NULL), NACRE_INVALID_ARGUMENT);

  histogram[0].record_bytes = 900;
  IS(nacre_class_suggest(db, histogram, 2, 4, see_suggestion, &last, &totals), NACRE_OK);
  CHECK(last.unit_bytes == 912 && last.records == 1000 && last.waste_after_bytes < last.waste_before_bytes);
  CHECK(totals.records == 1003 && totals.record_bytes == 900 * 1000 + 3 * 16 && totals.too_large == 0);
  CHECK(totals.waste_before_bytes - totals.waste_after_bytes == last.waste_before_bytes - last.waste_after_bytes);
  histogram[0].count = 7;
  IS(nacre_class_suggest(db, histogram, 1, 4, see_suggestion, &last, NULL), NACRE_STOPPED);
  IS(nacre_class_suggest(db, NULL, 0, 4, see_suggestion, &last, NULL), NACRE_OK);
  IS(nacre_class_suggest(db, NULL, 1, 4, see_suggestion, &last, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_class_suggest(db, histogram, 1, 65, see_suggestion, &last, NULL), NACRE_INVALID_ARGUMENT);
  IS(nacre_class_suggest(db, histogram, 1, 4, NULL, NULL, NULL), NACRE_INVALID_ARGUMENT);
  histogram[0].count = UINT64_MAX;
  IS(nacre_class_suggest(db, histogram, 1, 4, see_suggestion, &last, NULL), NACRE_LIMIT);
  nacre_options_delete(options);
  IS(nacre_close(db), NACRE_OK);
  IS(nacre_class_add(db, 304, 0), NACRE_BAD_HANDLE);
  IS(nacre_class_retire(db, 304), NACRE_BAD_HANDLE);
  IS(nacre_class_list(db, see_class, &seen), NACRE_BAD_HANDLE);
  IS(nacre_class_suggest(db, NULL, 0, 4, see_suggestion, &last, NULL), NACRE_BAD_HANDLE);
}

static void test_reentry(const char *engine) {
  struct reentry r;
  nacre_table *victim = NULL;
  memset(&r, 0, sizeof r);
  r.engine = engine;
  r.db = open_memory(engine);
  r.other_db = open_memory(engine);
  r.table = default_of(r.db);
  IS(nacre_table_open(r.db, "victim", 6, engine, &victim), NACRE_OK);
  IS(put(r.table, "k", "v"), NACRE_OK);
  IS(nacre_get(r.table, "k", 1, reenter_value, &r), NACRE_OK);
  check_reentry(&r, "get");
  IS(nacre_scan(r.table, reenter_pair, &r), NACRE_STOPPED);
  check_reentry(&r, "scan");
  IS(nacre_stats(r.db, reenter_figure, &r), NACRE_STOPPED);
  check_reentry(&r, "stats");
  IS(nacre_info(r.db, reenter_figure, &r), NACRE_STOPPED);
  check_reentry(&r, "info");
  IS(nacre_check(r.db, reenter_figure, &r), NACRE_STOPPED);
  check_reentry(&r, "check");
  IS(nacre_table_list(r.db, reenter_table, &r), NACRE_STOPPED);
  check_reentry(&r, "table_list");
  IS(put(victim, "k", "v"), NACRE_OK); /* the refused drop left it alone */
  IS(nacre_close(r.other_db), NACRE_OK);
  IS(nacre_close(r.db), NACRE_OK);
}

struct closes_itself {
  nacre_table *table;
  int first;
  int second;
};
static int close_own_table(const char *key, size_t key_bytes, const char *value, size_t value_bytes, void *arg) {
  struct closes_itself *c = arg;
  (void)key;
  (void)key_bytes;
  (void)value;
  (void)value_bytes;
  if (c->first < 0)
    c->first = nacre_table_close(c->table);
  else
    c->second = nacre_table_close(c->table);
  return 0;
}

static void test_table_closed_while_scanned(const char *engine) {
  nacre_db *db = open_memory(engine);
  struct closes_itself c;
  c.table = default_of(db);
  c.first = c.second = -1;
  (void)put(c.table, "a", "1");
  (void)put(c.table, "b", "2");
  IS(nacre_scan(c.table, close_own_table, &c), NACRE_OK); /* the running scan goes on */
  IS(c.first, NACRE_OK);
  IS(c.second, NACRE_BAD_HANDLE);
  IS(nacre_close(db), NACRE_OK);
}

/* ---- threads and processes ---- */

struct worker {
  nacre_table *table;
  int wrong;
  long good;
};
static void *work_until_closed(void *arg) {
  struct worker *w = arg;
  char buffer[64];
  for (;;) {
    int status = put(w->table, "shared", "value");
    if (status == NACRE_OK) status = nacre_get_copy(w->table, "shared", 6, buffer, sizeof buffer, NULL);
    if (status == NACRE_BAD_HANDLE) return NULL;
    if (status != NACRE_OK) {
      w->wrong = status;
      return NULL;
    }
    ++w->good;
  }
}

static void test_close_under_load(const char *engine) {
  int round;
  int wrong = 0;
  int not_closed = 0;
  for (round = 0; round < 20; ++round) {
    nacre_db *db = open_memory(engine);
    nacre_table *table = default_of(db);
    pthread_t threads[3];
    struct worker workers[3];
    int i;
    struct timespec pause = {0, 2000000};
    memset(workers, 0, sizeof workers);
    for (i = 0; i < 3; ++i) {
      workers[i].table = table;
      (void)pthread_create(&threads[i], NULL, work_until_closed, &workers[i]);
    }
    (void)nanosleep(&pause, NULL);
    not_closed += nacre_close(db) != NACRE_OK;
    for (i = 0; i < 3; ++i) {
      (void)pthread_join(threads[i], NULL);
      wrong += workers[i].wrong;
    }
  }
  CHECK(wrong == 0);
  CHECK(not_closed == 0);
}

static void test_fork(const char *engine) {
  nacre_db *db = open_memory(engine);
  nacre_table *table = default_of(db);
  nacre_iterator *iterator = NULL;
  pid_t child;
  int how = 0;
  IS(put(table, "k", "v"), NACRE_OK);
  IS(nacre_iterator_new(table, &iterator), NACRE_OK);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    nacre_db *own = NULL;
    int bits = 0;
    if (put(table, "k", "child") != NACRE_BAD_HANDLE || !says("fork")) bits |= 1;
    if (nacre_iterator_next(iterator) != NACRE_BAD_HANDLE) bits |= 2;
    if (nacre_close(db) != NACRE_BAD_HANDLE) bits |= 4;
    own = open_memory(engine); /* a pool of its own works */
    if (put(default_of(own), "k", "child") != NACRE_OK) bits |= 8;
    if (nacre_close(own) != NACRE_OK) bits |= 16;
    _exit(bits);
  }
  CHECK(child > 0 && waitpid(child, &how, 0) == child);
  CHECK(WIFEXITED(how) && WEXITSTATUS(how) == 0);
  CHECK(holds(table, "k", "v"));
  IS(nacre_close(db), NACRE_OK);
}

int main(void) {
  static const char *const engines[] = {"hash", "dram"};
  char folder[] = "/tmp/nacre_capi_XXXXXX";
  size_t i;
  setvbuf(stdout, NULL, _IOLBF, 0);
  CHECK(mkdtemp(folder) != NULL);
  test_names();
  test_options();
  test_open_close(folder);
  test_bad_handles();
  test_handle_reuse();
  test_many_handles();
  test_classes();
  for (i = 0; i < sizeof engines / sizeof engines[0]; ++i) {
    printf("# engine %s\n", engines[i]);
    test_tables(engines[i]);
    test_data(engines[i]);
    test_iterator(engines[i]);
    test_figures(engines[i]);
    test_reentry(engines[i]);
    test_table_closed_while_scanned(engines[i]);
    test_close_under_load(engines[i]);
    test_fork(engines[i]);
  }
  (void)rmdir(folder);
  printf("1..%d\n", g_tests);
  return g_failed == 0 ? 0 : 1;
}
