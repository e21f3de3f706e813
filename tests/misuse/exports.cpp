// The dynamic symbols of libnacre.so, read from its file: what a program that links with it can call.
#include <dlfcn.h>
#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "tests/misuse/abi.h"

namespace nacre::misuse {

std::vector<std::string> exported_functions() {
  std::vector<std::string> names;
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&nacre_version), &info) == 0) return names;
  std::ifstream file(info.dli_fname, std::ios::binary);
  const std::string image{std::istreambuf_iterator<char>(file), {}};
  Elf64_Ehdr header{};
  if (image.size() < sizeof header) return names;
  std::memcpy(&header, image.data(), sizeof header);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (header.e_shoff + sections.size() * sizeof(Elf64_Shdr) > image.size()) return names;
  std::memcpy(sections.data(), image.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNSYM) continue;
    const Elf64_Shdr& strings = sections.at(section.sh_link);
    for (uint64_t at = 0; at < section.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol{};
      std::memcpy(&symbol, image.data() + section.sh_offset + at, sizeof symbol);
      const bool defined = symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
      if (defined) names.emplace_back(image.data() + strings.sh_offset + symbol.st_name);
    }
  }
  return names;
}

}  // namespace nacre::misuse
