#include <doctest/doctest.h>

#include <kinglet/core/arena.hpp>

using kinglet::Arena;
using kinglet::ArenaScope;

TEST_CASE("an arena hands out aligned pieces, gives them back, and says when it was too small") {
  alignas(Arena::kAlignment) unsigned char memory[256];
  Arena arena(memory, sizeof memory);
  {
    ArenaScope scope(arena);
    CHECK(arena.take<float>(1) == static_cast<void*>(memory));
    CHECK(arena.take<char>(65) == static_cast<void*>(memory + 64));
    CHECK(arena.used() == 192);
  }
  CHECK(arena.used() == 0);
  CHECK(arena.peak() == 192);
  CHECK(arena.take<char>(256) != nullptr);
  CHECK_FALSE(arena.overflowed());
  CHECK(arena.take<char>(1) == nullptr);
  CHECK(arena.overflowed());
}

TEST_CASE("sizes beyond all memory never wrap around to small ones") {
  alignas(Arena::kAlignment) unsigned char memory[64];
  Arena arena(memory, sizeof memory);
  for (int i = 0; i < 9; ++i) {
    CHECK(arena.take<double>(SIZE_MAX / 8 + 2) == nullptr);
    CHECK(arena.matrix(-1, 8).data == nullptr);
    CHECK(arena.take<char>(1) == nullptr);
    CHECK(arena.overflowed());
  }
  arena.release(0);
  CHECK(arena.take<char>(64) != nullptr);
}
