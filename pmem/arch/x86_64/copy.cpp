#include "pmem/arch/copy.h"

#include <emmintrin.h>

namespace nacre::pmem {

bool stream_lines(void* to, const void* from, uint64_t bytes) noexcept {
  auto* out = static_cast<__m128i*>(to);
  const auto* in = static_cast<const __m128i*>(from);
  for (uint64_t line = 0; line < bytes / 64; ++line, out += 4, in += 4) {
    const __m128i a = _mm_loadu_si128(in), b = _mm_loadu_si128(in + 1);
    const __m128i c = _mm_loadu_si128(in + 2), d = _mm_loadu_si128(in + 3);
    _mm_stream_si128(out, a);
    _mm_stream_si128(out + 1, b);
    _mm_stream_si128(out + 2, c);
    _mm_stream_si128(out + 3, d);
  }
  return true;
}

}  // namespace nacre::pmem
