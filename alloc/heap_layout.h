// Chunk table words and class table words, both inside guarded lines.
//
//   chunk word   63      56 55                 54    32 31        16 15      0
//   free         | 0       | bitmap is written | zero   | zero       | zero   |
//   slab         | 1       | 1                 | zero   | zero       | class  |
//   extent       | 2       | bitmap is written | zero   | chunks              |
//
//   class word   63   56 55   48 47          40 39     32 31            0
//                | state | zero | slab chunks | log2 align | unit_bytes |   state: 0 absent, 1 live, 2 retired
//
// Class c is word c % 7 of line c / 7 of the class table. A retired class hands out no unit; its word may become live
// again, or another class once no chunk names it. A slab of class c is `slab chunks` chunks in a row, cut into units;
// unit u is bit u % 64 of word u / 64 % 7 of bitmap line u / 448 of its first chunk: set = allocated. An extent is one
// unit of whole chunks: allocated while its word says so. Slabs and extents are named by the word of their first chunk;
// the words of the others say "free".
//
// The bitmap lines of a chunk are written when it first becomes a slab, by the same commit that sets "bitmap is
// written". That bit then stays while the chunk is part of the pool, whatever the chunk is used for. Without it the
// lines hold anything, and nobody reads them. With it they are sound, and zero unless the chunk is a slab.
#pragma once

#include <cstdint>

namespace nacre::alloc {

enum class ChunkState : uint8_t { free = 0, slab = 1, extent = 2 };

inline constexpr uint64_t kBitmapWritten = uint64_t{1} << 55;

/// Of a slab, whose bitmap is written.
inline constexpr uint64_t make_slab_word(uint16_t class_id) noexcept {
  return static_cast<uint64_t>(ChunkState::slab) << 56 | kBitmapWritten | class_id;
}
/// Of an extent, apart from "bitmap is written", which is the first chunk's own.
inline constexpr uint64_t make_extent_word(uint32_t chunks) noexcept {
  return static_cast<uint64_t>(ChunkState::extent) << 56 | chunks;
}
inline constexpr uint8_t chunk_word_state(uint64_t word) noexcept { return static_cast<uint8_t>(word >> 56); }
inline constexpr uint16_t chunk_word_class(uint64_t word) noexcept { return static_cast<uint16_t>(word); }
inline constexpr uint32_t chunk_word_extent(uint64_t word) noexcept { return static_cast<uint32_t>(word); }
inline constexpr bool chunk_word_bitmap(uint64_t word) noexcept { return (word & kBitmapWritten) != 0; }
/// True if the word says "free": no state, no class.
inline constexpr bool chunk_word_free(uint64_t word) noexcept { return (word & ~kBitmapWritten) == 0; }
inline constexpr bool chunk_word_is_slab(uint64_t word) noexcept {
  return word == make_slab_word(chunk_word_class(word));
}
inline constexpr bool chunk_word_is_extent(uint64_t word) noexcept {
  return (word & ~kBitmapWritten) == make_extent_word(chunk_word_extent(word)) && chunk_word_extent(word) != 0;
}

enum class ClassState : uint8_t { absent = 0, live = 1, retired = 2 };

inline constexpr uint64_t make_class_word(ClassState state, uint8_t slab_chunks, uint8_t align_log2,
                                          uint32_t unit_bytes) noexcept {
  return static_cast<uint64_t>(state) << 56 | static_cast<uint64_t>(slab_chunks) << 40 |
         static_cast<uint64_t>(align_log2) << 32 | unit_bytes;
}
inline constexpr uint8_t class_word_state(uint64_t word) noexcept { return static_cast<uint8_t>(word >> 56); }
inline constexpr uint32_t class_word_unit_bytes(uint64_t word) noexcept { return static_cast<uint32_t>(word); }
inline constexpr uint8_t class_word_align_log2(uint64_t word) noexcept { return static_cast<uint8_t>(word >> 32); }
inline constexpr uint8_t class_word_slab_chunks(uint64_t word) noexcept { return static_cast<uint8_t>(word >> 40); }
inline constexpr bool class_word_clean(uint64_t word) noexcept { return (word >> 48 & 0xff) == 0; }
inline constexpr uint64_t with_class_state(uint64_t word, ClassState state) noexcept {
  return (word & ~(uint64_t{0xff} << 56)) | static_cast<uint64_t>(state) << 56;
}

}  // namespace nacre::alloc
