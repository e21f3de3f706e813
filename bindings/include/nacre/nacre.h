/* Nacre's C ABI: the only symbols libnacre.so exports. <nacre/nacre.hpp> is its C++ face.
 *
 * Every function that can fail returns a nacre_status; 0 is success. The text of the calling thread's last
 * failure is nacre_errormsg(). No function throws, aborts or raises a signal. Handles are opaque: they are
 * looked up in a registry, so a null, closed, foreign or twice-closed handle is NACRE_BAD_HANDLE and not
 * undefined behaviour. Unless a line says otherwise every function may be called from any thread at any time.
 * Keys and values are any bytes, empty ones included; (NULL, 0) is the empty string.
 *
 * Durability: when put, remove, clear, table_open or table_drop returns NACRE_OK, the change survives a power
 * failure on the media dax and msync, and a kill of the process on those; on the medium memory nothing does. */
#ifndef NACRE_NACRE_H
#define NACRE_NACRE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define NACRE_API __attribute__((visibility("default")))
#else
#define NACRE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nacre_status {
  NACRE_OK = 0,
  NACRE_NOT_FOUND = 1,        /* an answer: the key, table or file is not there */
  NACRE_EXISTS = 2,           /* the pool, or the allocation class, is there already */
  NACRE_STOPPED = 3,          /* the callback returned non-zero */
  NACRE_INVALID_ARGUMENT = 4, /* the call is wrong; nothing was changed */
  NACRE_BAD_HANDLE = 5,       /* null, closed, foreign or twice-closed handle */
  NACRE_READ_ONLY = 6,        /* opened read-only, or became so after a failure */
  NACRE_OUT_OF_SPACE = 7,     /* the pool is full; it is as it was and stays usable */
  NACRE_OUT_OF_MEMORY = 8,    /* no DRAM, or the caller's buffer is too small (get_copy) */
  NACRE_TOO_LARGE = 9,        /* key, value or commit beyond a limit */
  NACRE_IO_ERROR = 10,        /* a system call failed */
  NACRE_LOCKED = 11,          /* open elsewhere */
  NACRE_CORRUPTION = 12,      /* bytes fail their check */
  NACRE_MEDIA_ERROR = 13,     /* the medium reports lost bytes */
  NACRE_INCOMPATIBLE = 14,    /* other format version, or an unknown feature */
  NACRE_NOT_A_POOL = 15,      /* some other file */
  NACRE_NOT_SUPPORTED = 16,   /* not with this engine or medium */
  NACRE_LIMIT = 17,           /* a count is exhausted */
  NACRE_INTERNAL = 18         /* a check of our own failed; the handle refuses writes */
} nacre_status;

typedef struct nacre_options nacre_options;
typedef struct nacre_db nacre_db;
typedef struct nacre_table nacre_table;
typedef struct nacre_iterator nacre_iterator;

/* "major.minor.patch" of the library. Never fails. */
NACRE_API const char *nacre_version(void);
/* The text of the calling thread's last failure, "" before any. Valid until the thread's next failure. */
NACRE_API const char *nacre_errormsg(void);
/* The name of a status, e.g. "out_of_space"; "unknown" for other numbers. */
NACRE_API const char *nacre_status_name(int status);

/* ---- options: made, set, passed to nacre_open (which copies them), deleted ---- */

/* NACRE_OUT_OF_MEMORY, NACRE_INVALID_ARGUMENT (out is null). */
NACRE_API int nacre_options_new(nacre_options **out);
/* Null is fine. */
NACRE_API void nacre_options_delete(nacre_options *options);
/* Make the pool if the file is not there (default 0). */
NACRE_API int nacre_options_set_create_if_missing(nacre_options *options, int on);
/* NACRE_EXISTS if the file is there (default 0). */
NACRE_API int nacre_options_set_error_if_exists(nacre_options *options, int on);
/* Never write to the file, nor make it; several read-only handles may share a pool (default 0). */
NACRE_API int nacre_options_set_read_only(nacre_options *options, int on);
/* First size in bytes of a pool to be made (default 1 GiB, least 1 MiB); ignored for an existing one. */
NACRE_API int nacre_options_set_size(nacre_options *options, uint64_t bytes);
/* 0: through this handle the pool keeps its size and is full when its space is used. Default 1: it grows, ahead of
 * demand, by a thread of the library's own that lives from the first need until nacre_close. */
NACRE_API int nacre_options_set_grow(nacre_options *options, int on);
/* The pool grows no larger than that; 0 (default): no bound but the medium's. A pool to be made keeps the bound and is
 * made no larger; for an existing one the smaller of its own and this one holds. Address space of this size is
 * reserved; without a bound it is 64 GiB, or four times the size of a large pool, and growth beyond it needs a new
 * open. NACRE_INVALID_ARGUMENT: less than 1 MiB. */
NACRE_API int nacre_options_set_max_size(nacre_options *options, uint64_t bytes);
/* What one growth adds; 0 (default): an eighth of the pool, at least 4 MiB, at most 64 MiB. Rounded up to chunks, and
 * from 2 MiB on the pool ends at a multiple of 2 MiB. */
NACRE_API int nacre_options_set_grow_step(nacre_options *options, uint64_t bytes);
/* "auto" (default), "dax", "memory" or "msync"; the environment's NACRE_MEDIUM decides for "auto". */
NACRE_API int nacre_options_set_medium(nacre_options *options, const char *name);
/* Engine of the default table of a pool to be made: "hash" (default) or "dram". */
NACRE_API int nacre_options_set_engine(nacre_options *options, const char *name);
/* "one_fence" (default) or "strict" (two fences a put). Decides how this handle commits, not the format. */
NACRE_API int nacre_options_set_commit_form(nacre_options *options, const char *name);

/* Adds an allocation class of `unit_bytes` to a pool to be made, beside the default ones; may be called for each of
 * several. `align` as in nacre_class_add. NACRE_INVALID_ARGUMENT names what is wrong with the numbers; a unit larger
 * than 32 of the pool's chunks (of 256 KiB, or 64 KiB in pools below 16 MiB) is refused by nacre_open. A size that the
 * pool has by default is no error. Ignored for an existing pool. */
NACRE_API int nacre_options_add_class(nacre_options *options, uint64_t unit_bytes, uint64_t align);

/* ---- pools ---- */

/* Opens or makes the pool at `path` (UTF-8 or any bytes, NUL-terminated; ignored for the medium memory, may
 * then be null). `options` may be null for the defaults. On success *out is a handle; on failure it is null.
 * NACRE_NOT_FOUND, _EXISTS, _LOCKED, _NOT_A_POOL, _INCOMPATIBLE, _CORRUPTION, _IO_ERROR, _OUT_OF_SPACE,
 * _OUT_OF_MEMORY, _INVALID_ARGUMENT. */
NACRE_API int nacre_open(const char *path, const nacre_options *options, nacre_db **out);
/* Closes the pool and every table and iterator handle made from it. Waits for calls that are running in other
 * threads; must not be called from a callback (NACRE_INVALID_ARGUMENT). NACRE_IO_ERROR: the pool is closed all
 * the same and the next open recovers it. */
NACRE_API int nacre_close(nacre_db *db);

/* Calls fn for each figure of the handle: counters, sizes, medium. `text` is null when the figure is the number
 * `value`. A non-zero return stops (NACRE_STOPPED). */
typedef int nacre_figure_fn(const char *name, uint64_t value, const char *text, void *arg);
/* Counters since open: fences, flushed lines and bytes, commits, log cells, epoch advances; and what the open
 * recovered. */
NACRE_API int nacre_stats(nacre_db *db, nacre_figure_fn *fn, void *arg);
/* What the pool is: format version, identity, medium, geometry, space by use, tables. */
NACRE_API int nacre_info(nacre_db *db, nacre_figure_fn *fn, void *arg);
/* Verifies every structure and every record, and accounts for every byte. Calls fn for each figure; figures
 * named "problem" carry the text of one finding. NACRE_OK: sound. NACRE_CORRUPTION: there were findings.
 * No other thread may write meanwhile. Never writes. */
NACRE_API int nacre_check(nacre_db *db, nacre_figure_fn *fn, void *arg);
/* Gives empty space at the end of the pool back to the medium; NACRE_OK also if there is none. Durable at return. Other
 * threads may go on reading and writing. NACRE_LOCKED: a call that runs in another thread may still see that space; try
 * again. NACRE_NOT_SUPPORTED (medium), _READ_ONLY, _IO_ERROR, _CORRUPTION, _INVALID_ARGUMENT (from a callback). */
NACRE_API int nacre_shrink(nacre_db *db);
/* Fences, flushed lines and flushed bytes of the calling thread on this pool since open. Any out may be null. */
NACRE_API int nacre_thread_counters(nacre_db *db, uint64_t *fences, uint64_t *lines, uint64_t *bytes);

/* ---- allocation classes: the unit sizes that a pool hands out ----
 *
 * A record takes nacre_record_bytes, in one unit of the smallest live class that holds it. The rest of the unit is
 * wasted. Where many records have the same size, a class of exactly that size wastes next to nothing. A record that no
 * class holds, or for which whole chunks are no longer than the unit, lies in chunks of its own, an extent. A class is
 * known by its unit size; sizes are in bytes. */

/* What a record of this key and value takes: 12 + key + value, or 16 + key + value if the key is longer than 255 bytes
 * or the value has 4 GiB or more. Never fails; stays near 2^64 where the sum would be more. */
NACRE_API uint64_t nacre_record_bytes(uint64_t key_bytes, uint64_t value_bytes);

/* The unit of an exact class for records of this key and value: nacre_record_bytes, rounded up to a multiple of 16, at
 * least 32. Never fails. */
NACRE_API uint64_t nacre_class_unit_of_record(uint64_t key_bytes, uint64_t value_bytes);

/* One class, and what it is filled with. */
typedef struct nacre_class_info {
  uint64_t id;         /* its place in the pool's table */
  uint64_t retired;    /* 1: hands out no unit any more; else 0 */
  uint64_t unit_bytes;
  uint64_t align;
  uint64_t slabs;      /* runs of units; each is of one class */
  uint64_t slab_bytes; /* of all slabs together = live + free + tail */
  uint64_t units;
  uint64_t live_units;
  uint64_t live_bytes; /* live_units x unit_bytes */
  uint64_t free_bytes; /* of units that hold nothing */
  uint64_t tail_bytes; /* behind the last unit of each slab, too short for one */
  uint64_t fragmentation_permille; /* free bytes in a thousand bytes of slabs */
} nacre_class_info;
/* `info_bytes` is sizeof(nacre_class_info) in the library: a later one may add members at the end. */
typedef int nacre_class_fn(const nacre_class_info *info, size_t info_bytes, void *arg);
/* Calls fn for each class, ascending by unit size; non-zero stops (NACRE_STOPPED). Holds writers back while it reads
 * the bitmaps of the pool. NACRE_CORRUPTION. */
NACRE_API int nacre_class_list(nacre_db *db, nacre_class_fn *fn, void *arg);

/* Adds a class, or revives the retired one of this size. Durable at return, after a crash there or not there; every
 * later put may use it. Records that are stored already stay where they are. `unit_bytes` is 32 to 32 chunks and a
 * multiple of `align`, which is 0 (that is 16) or a power of two from 16 to 4096. NACRE_INVALID_ARGUMENT, _EXISTS,
 * _LIMIT (the table of 448 classes is full), _READ_ONLY, _CORRUPTION, _IO_ERROR. */
NACRE_API int nacre_class_add(nacre_db *db, uint64_t unit_bytes, uint64_t align);
/* Retires the class of this unit. At return, durably, no unit is handed out from it, in any thread; records in its
 * units stay readable and can be removed, and memory of it that is all free goes to other classes. Waits for puts that
 * run in other threads. NACRE_NOT_FOUND (no such class, or retired already; with a text), NACRE_INVALID_ARGUMENT (it
 * is the last that can hold what the index itself needs), _READ_ONLY, _CORRUPTION, _IO_ERROR. */
NACRE_API int nacre_class_retire(nacre_db *db, uint64_t unit_bytes);

/* `count` records of `record_bytes` each, see nacre_record_bytes. */
typedef struct nacre_size_count {
  uint64_t record_bytes;
  uint64_t count;
} nacre_size_count;
/* A class worth adding; waste is bytes of units, and of slab tails, that its records leave unused. */
typedef struct nacre_suggestion {
  uint64_t unit_bytes;
  uint64_t records; /* that it would hold */
  uint64_t waste_before_bytes;
  uint64_t waste_after_bytes;
} nacre_suggestion;
typedef struct nacre_suggestion_totals {
  uint64_t records;      /* of the histogram, those too large for a class left out */
  uint64_t record_bytes; /* of these */
  uint64_t too_large;    /* records larger than every class: they lie in extents */
  uint64_t waste_before_bytes;
  uint64_t waste_after_bytes;
} nacre_suggestion_totals;
typedef int nacre_suggestion_fn(const nacre_suggestion *suggestion, size_t suggestion_bytes, void *arg);
/* Finds the at most `max_classes` (up to 64) classes whose adding to this pool wastes least for records of these
 * sizes, by dynamic programming, and calls fn for each, ascending; non-zero stops (NACRE_STOPPED). A class that saves
 * nothing is not suggested. Reads and changes nothing but the list of classes. `totals` may be null. One row a size;
 * rows may come in any order, and a size twice. NACRE_INVALID_ARGUMENT, _LIMIT (more than 2^62 bytes). */
NACRE_API int nacre_class_suggest(nacre_db *db, const nacre_size_count *histogram, size_t rows, uint32_t max_classes,
                                  nacre_suggestion_fn *fn, void *arg, nacre_suggestion_totals *totals);

/* ---- tables ---- */

/* Opens the table `name` (1 to 255 bytes). If it is not there and `engine` is not null ("hash", "dram"), makes
 * it with that engine; with a null engine that is NACRE_NOT_FOUND. An existing table of another engine is
 * NACRE_INVALID_ARGUMENT. A "dram" table is volatile: it ends with the handle. */
NACRE_API int nacre_table_open(nacre_db *db, const char *name, size_t name_bytes, const char *engine,
                               nacre_table **out);
/* The pool's default table (named "default"). */
NACRE_API int nacre_table_default(nacre_db *db, nacre_table **out);
/* Gives the handle back; the table stays. */
NACRE_API int nacre_table_close(nacre_table *table);
/* Removes the table and all its records: atomic, resumed at the next open if cut short. Open handles of the
 * table answer NACRE_BAD_HANDLE from then on. The default table cannot be dropped (NACRE_INVALID_ARGUMENT). */
NACRE_API int nacre_table_drop(nacre_db *db, const char *name, size_t name_bytes);
/* Calls fn for each table; non-zero stops (NACRE_STOPPED). */
typedef int nacre_table_fn(const char *name, size_t name_bytes, const char *engine, void *arg);
NACRE_API int nacre_table_list(nacre_db *db, nacre_table_fn *fn, void *arg);

/* ---- keys and values ---- */

typedef void nacre_value_fn(const char *value, size_t value_bytes, void *arg);
typedef int nacre_pair_fn(const char *key, size_t key_bytes, const char *value, size_t value_bytes, void *arg);

/* Writes or overwrites. Atomic and durable at return. NACRE_TOO_LARGE, _OUT_OF_SPACE, _READ_ONLY, _IO_ERROR,
 * _CORRUPTION (index bytes on the way to the key, or a record that may be this key's, are damaged; nothing was
 * changed. A record whose key is whole and whose value is damaged is replaced). */
NACRE_API int nacre_put(nacre_table *table, const char *key, size_t key_bytes, const char *value,
                        size_t value_bytes);
/* Calls fn with the value in place: the pointer is valid only during fn, which may call get and put on any
 * table but must not close the pool. NACRE_NOT_FOUND, _CORRUPTION. */
NACRE_API int nacre_get(nacre_table *table, const char *key, size_t key_bytes, nacre_value_fn *fn, void *arg);
/* Copies the value into `buffer`; *value_bytes (may be null) is set to its full length whenever the key exists.
 * A buffer that is too small is NACRE_OUT_OF_MEMORY and stays untouched. */
NACRE_API int nacre_get_copy(nacre_table *table, const char *key, size_t key_bytes, char *buffer,
                             size_t buffer_bytes, size_t *value_bytes);
/* NACRE_OK if it was there and is gone durably, NACRE_NOT_FOUND if it was not there. */
NACRE_API int nacre_remove(nacre_table *table, const char *key, size_t key_bytes);
/* NACRE_OK or NACRE_NOT_FOUND; NACRE_CORRUPTION if the record that may be this key's is damaged. */
NACRE_API int nacre_exists(nacre_table *table, const char *key, size_t key_bytes);
/* The number of keys. Exact when no other thread writes. O(keys) once after a crash, else O(1). */
NACRE_API int nacre_count(nacre_table *table, uint64_t *count);
/* Calls fn for each pair, in no particular order; each key that is there throughout is seen exactly once. fn may
 * get and put. A non-zero return stops (NACRE_STOPPED). */
NACRE_API int nacre_scan(nacre_table *table, nacre_pair_fn *fn, void *arg);
/* Removes all pairs, atomically. */
NACRE_API int nacre_clear(nacre_table *table);

/* ---- iterator: as scan, but the caller pulls. One thread at a time per iterator. ---- */

NACRE_API int nacre_iterator_new(nacre_table *table, nacre_iterator **out);
/* Moves to the next pair (the first after new). NACRE_NOT_FOUND at the end. NACRE_CORRUPTION: bytes
 * ahead are damaged; the iterator stays where it is, and further calls answer the same. */
NACRE_API int nacre_iterator_next(nacre_iterator *iterator);
/* The current pair; pointers are valid until the next call on the iterator. NACRE_INVALID_ARGUMENT when there
 * is none. Any out may be null. */
NACRE_API int nacre_iterator_get(nacre_iterator *iterator, const char **key, size_t *key_bytes,
                                 const char **value, size_t *value_bytes);
NACRE_API int nacre_iterator_delete(nacre_iterator *iterator);

#ifdef __cplusplus
}
#endif
#endif
