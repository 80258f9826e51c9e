// Uses an installed kinglet: nothing but an include and a link line.
#include <cstdio>
#include <kinglet/kinglet.hpp>

int main() {
  alignas(64) const unsigned char bytes[] = "no model";
  const auto file = kinglet::ModelFile::open({bytes, sizeof bytes});
  std::printf("an installed kinglet says: %s\n", file.status().what());
  return file.ok() ? 1 : 0;
}
