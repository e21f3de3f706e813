#!/usr/bin/env bash
# What Nacre does, shown on this machine's own package database: load, look up, delete, kill in the middle of
# writing, reopen, verify, measure. Run by ./dev demo after the build. Exits non-zero if anything is not as it
# should be. Needs bash, awk and coreutils.
set -euo pipefail
export LC_ALL=C
unset NACRE_MEDIUM

root=$PWD
nacre=${NACRE:-$root/build/tools/nacre}
bench=${NACRE_BENCH:-$root/build/bench/nacre_bench}
kills=3          # how often the writer is killed
acks_a_kill=800  # keys that must be durable before each kill
bench_seconds=6  # about how long the fill of the first benchmark may take

[[ -x $nacre ]] || { echo "demo: $nacre is not there; run ./dev build" >&2; exit 2; }
work=$(mktemp -d "${TMPDIR:-/tmp}/nacre-demo.XXXXXX")
shm=
loader=
cleanup() {
  [[ -z $loader ]] || kill -9 "$loader" 2>/dev/null || true
  rm -rf "$work" ${shm:+"$shm"}
}
trap cleanup EXIT
cd "$work"

step() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }
fail() {
  printf 'demo: FAILED: %s\n' "$*" >&2
  exit 1
}
# Shows a nacre command and how its output begins; its exit code is the command's.
show() { # ARGUMENTS...; the variable lines bounds how much is shown
  printf '   $ nacre %s\n' "$*"
  "$nacre" "$@" 2>&1 | awk -v most="${lines:-40}" '
    NR <= most { print "     " substr($0, 1, 110) }
    END { if (NR > most) print "     ... (" NR - most " more lines)" }'
}
# The table's pairs are exactly those of a TSV file.
holds_exactly() { # TABLE FILE
  "$nacre" scan demo.nacre --table "$1" | sort >actual
  sort "$2" | cmp -s - actual
}
must_hold() { # TABLE FILE WHAT
  holds_exactly "$1" "$2" || {
    sort "$2" | comm -3 - actual | cut -c 1-110 | head -n 5 >&2 || true
    fail "table $1 is not $3"
  }
  say "checked: table $1 is exactly $3 ($(wc -l <"$2") pairs, byte for byte)."
}
# One line a key, the last one wins.
last_wins() { awk -F '\t' '{ line[$1] = $0 } END { for (k in line) print line[k] }' "$1"; }

# awk: bytes as fields of a TSV line, with the escapes that nacre load reads.
escape='function escape(s) { gsub(/\\/, "&&", s); gsub(/\t/, "\\t", s); gsub(/\n/, "\\n", s)
                             gsub(/[\001-\010\013-\037\177]/, "?", s); return s }'

# Every installed package: name:architecture TAB its whole record.
package_records() {
  awk -v RS= -F '\n' "$escape"'
    /\nStatus: install ok installed/ {
      name = arch = ""
      for (i = 1; i <= NF; ++i) {
        if ($i ~ /^Package: /) name = substr($i, 10)
        if ($i ~ /^Architecture: /) arch = substr($i, 15)
      }
      print escape(name ":" arch) "\t" escape($0)
    }' /var/lib/dpkg/status
}
# Every file of every package: path TAB owner. Folders have many owners: the last one wins.
file_records() {
  awk "$escape"'
    FNR == 1 { owner = FILENAME; sub(/.*\//, "", owner); sub(/\.list$/, "", owner) }
    { print escape($0) "\t" escape(owner " (entry " FNR ")") }' /var/lib/dpkg/info/*.list
}
# The same two shapes from the file system, where there is no dpkg.
make_records() {
  if [[ -r /var/lib/dpkg/status ]]; then
    package_records >packages.tsv
    file_records >files.tsv
  else
    find /usr/bin /usr/lib -maxdepth 2 -type f -printf '%p\t%M %s bytes, %t\n' 2>/dev/null | head -n 1000 >packages.tsv
    find /usr -xdev -printf '%p\t%y %s %u\n' 2>/dev/null | head -n 100000 >files.tsv
  fi
  # A key twice would make the counts below ambiguous.
  last_wins packages.tsv | sort >unique && mv unique packages.tsv
  # Enough lines that no writer reaches the end before it is killed.
  local copy lines_there
  lines_there=$(wc -l <files.tsv)
  cp files.tsv more
  for ((copy = 2; copy * lines_there < 250000 && copy < 1000; ++copy)); do
    awk -F '\t' -v copy="$copy" '{ print $1 " (copy " copy ")\t" $2 }' more >>files.tsv
  done
}

load_packages() {
  step "The package database of this machine, as a table"
  make_records
  say "$(wc -l <packages.tsv) records, $(wc -c <packages.tsv) bytes; the pool is an ordinary file in $work"
  show create demo.nacre --size 64MiB
  show load demo.nacre packages.tsv
  show count demo.nacre
  must_hold default packages.tsv "what was loaded"
}

look_up() {
  step "Look some up"
  local first last
  first=$(head -n 1 packages.tsv | cut -f 1)
  last=$(tail -n 1 packages.tsv | cut -f 1)
  lines=8 show get demo.nacre "$first"
  show exists demo.nacre "$last"
  show get demo.nacre "no-such-package" && fail "a key that is not there was found"
  say "not there: exit code 1, which is an answer and no error."
  show scan demo.nacre --prefix "${first:0:3}" --limit 3 --keys-only
}

change_some() {
  step "Delete some, overwrite some"
  awk -F '\t' 'NR % 40 == 1 { print $1 }' packages.tsv >deleted
  awk -F '\t' 'NR % 40 == 2 { print $1 }' packages.tsv >overwritten
  local key
  while IFS= read -r key; do "$nacre" del demo.nacre -- "$key"; done <deleted
  while IFS= read -r key; do "$nacre" put demo.nacre -- "$key" "held back by the demo"; done <overwritten
  say "deleted $(wc -l <deleted) keys, overwrote $(wc -l <overwritten)"
  awk -F '\t' 'FILENAME == "deleted" { gone[$1]; next }
               FILENAME == "overwritten" { changed[$1]; next }
               $1 in gone { next }
               $1 in changed { print $1 "\theld back by the demo"; next }
               { print }' deleted overwritten packages.tsv >expected.tsv
  show count demo.nacre
  must_hold default expected.tsv "what was loaded, less those, with those changed"
}

# Waits until the loader has acknowledged enough, or half a minute has passed.
await_acks() {
  local waits=0
  while (($(wc -l <acks) < acks_a_kill)); do
    kill -0 "$loader" 2>/dev/null || fail "the loader ended before it could be killed"
    ((++waits < 3000)) || fail "the loader is too slow: $(wc -l <acks) keys in half a minute"
    sleep 0.01
  done
}

# Loads what remains of files.tsv, kills the loader, and finds out how much of it is there.
kill_round() { # ROUND DONE_LINES; sets acknowledged
  : >acks
  tail -n "+$(($2 + 1))" files.tsv >rest.tsv
  "$nacre" load demo.nacre rest.tsv --table files --ack acks >/dev/null 2>&1 &
  loader=$!
  await_acks
  kill -9 "$loader"
  wait "$loader" 2>/dev/null && fail "the loader had ended before it was killed"
  loader=
  acknowledged=$(wc -l <acks)
  head -n "$acknowledged" acks | cmp -s - <(head -n "$acknowledged" rest.tsv | cut -f 1) ||
    fail "the acknowledged keys are not the first ones of the file"
  say "kill $1: SIGKILL after $acknowledged acknowledged keys"
}

kill_the_writer() {
  step "Kill a writer in the middle, $kills times; every acknowledged key must be there"
  say "loading $(wc -l <files.tsv) files of all packages into table files ..."
  local round acknowledged=0 written=0
  for ((round = 1; round <= kills; ++round)); do
    kill_round "$round" "$written"
    written=$((written + acknowledged))
    head -n "$written" files.tsv >prefix.tsv
    last_wins prefix.tsv >expected_files.tsv
    # The put that was in flight may have become durable without having been acknowledged: it is there wholly, or not.
    if ! holds_exactly files expected_files.tsv; then
      written=$((written + 1))
      head -n "$written" files.tsv >prefix.tsv
      last_wins prefix.tsv >expected_files.tsv
    fi
    must_hold files expected_files.tsv "the first $written puts"
    "$nacre" check demo.nacre >check.txt || { cat check.txt >&2; fail "check found damage after kill $round"; }
  done
  must_hold default expected.tsv "what it was before the kills"
}

inspect() {
  step "Every structure, every record, every byte accounted for"
  show check demo.nacre || fail "the pool is not sound"
  show info demo.nacre
}

dump_and_reload() {
  step "Dump, damage the dump, load it into another pool"
  show dump demo.nacre packages.dump
  # One byte in the middle becomes another one; the rest stays.
  local half=$(($(wc -c <packages.dump) / 2)) other=Z
  [[ $(tail -c "+$((half + 1))" packages.dump | head -c 1) != Z ]] || other=Y
  { head -c "$half" packages.dump; printf %s "$other"; tail -c "+$((half + 2))" packages.dump; } >damaged.dump
  show create copy.nacre --size 32MiB
  local code=0
  show load copy.nacre damaged.dump || code=$?
  ((code == 4)) || fail "a damaged dump was taken (exit code $code)"
  [[ $("$nacre" count copy.nacre) == 0 ]] || fail "pairs of a damaged dump were loaded"
  show load copy.nacre packages.dump
  "$nacre" scan copy.nacre | sort | cmp -s - <("$nacre" scan demo.nacre | sort) || fail "the copy differs"
  say "checked: the copy holds the same pairs."
}

run_bench() { # NUM ARGUMENTS...
  local num=$1
  shift
  printf '   $ nacre_bench --benchmarks=fillrandom,readrandom --num=%s --engine=hash %s\n' "$num" "$*"
  "$bench" --benchmarks=fillrandom,readrandom --num="$num" --engine=hash "$@" 2>&1 | sed 's/^/     /' ||
    fail "nacre_bench ended with exit code ${PIPESTATUS[0]}"
}

measure() {
  step "A short benchmark"
  if [[ ! -x $bench ]]; then
    say "nacre_bench was not built; nothing is measured."
    return
  fi
  local rate num
  rate=$("$nacre" load copy.nacre packages.tsv --table rate --json |
    sed 's/.*"pairs":\([0-9]*\).*"seconds":\([0-9.e-]*\).*/\1 \2/' | awk '{ printf "%d", $1 / ($2 + 0.001) }')
  num=$((rate * bench_seconds))
  ((num <= 20000)) || num=20000
  ((num >= 500)) || num=500
  say "the same ordinary file system (each put waits for the disk):"
  run_bench "$num" --medium=msync --db="$work/bench.nacre"
  if [[ -d /dev/shm && -w /dev/shm ]]; then
    shm=$(mktemp -d /dev/shm/nacre-demo.XXXXXX)
    say "memory treated as persistent memory (flushed and fenced, not saved):"
    run_bench 200000 --medium=dax --db="$shm/bench.nacre"
  fi
}

SECONDS=0
"$nacre" version
load_packages
look_up
change_some
kill_the_writer
inspect
dump_and_reload
measure
printf '\ndemo: everything was as it should be, in %d s.\n' "$SECONDS"
