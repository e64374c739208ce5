// Reads ELF (System V ABI, "Object Files"; thread-local storage: Drepper, "ELF Handling For Thread-Local Storage").
#include "test/cuda_shim/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

namespace cudaShim {

namespace {

// Its address and thread-local offset tell which module this is.
thread_local char marker = 0;

struct Loaded {
  std::string path;
  uint64_t base = 0;
  void* threadLocals = nullptr;
};

Loaded findOwn() {
  marker = 1;  // a module's thread-local memory may not exist before its first use
  Loaded found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        const auto address = reinterpret_cast<uint64_t>(&findOwn);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          const uint64_t begin = info->dlpi_addr + segment.p_vaddr;
          if (segment.p_type != PT_LOAD || address < begin || address >= begin + segment.p_memsz) continue;
          *static_cast<Loaded*>(out) = {*info->dlpi_name ? info->dlpi_name : "/proc/self/exe", info->dlpi_addr, info->dlpi_tls_data};
          return 1;
        }
        return 0;
      },
      &found);
  return found;
}

Module read() {
  const Loaded loaded = findOwn();
  Module module;
  module.base = loaded.base;
  std::ifstream stream(loaded.path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  if (file.size() < sizeof(ElfW(Ehdr))) return module;
  const auto& header = *reinterpret_cast<const ElfW(Ehdr)*>(file.data());
  const auto* sections = reinterpret_cast<const ElfW(Shdr)*>(file.data() + header.e_shoff);
  for (int i = 0; i < header.e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const auto* symbols = reinterpret_cast<const ElfW(Sym)*>(file.data() + sections[i].sh_offset);
    const char* names = file.data() + sections[sections[i].sh_link].sh_offset;
    for (size_t s = 0; s < sections[i].sh_size / sizeof *symbols; ++s) {
      const int type = symbols[s].st_info & 0xf;  // ELF64_ST_TYPE
      if (symbols[s].st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_TLS)) continue;
      auto& list = type == STT_FUNC ? module.functions : module.threadLocals;
      list.push_back({names + symbols[s].st_name, symbols[s].st_value, symbols[s].st_size});
    }
  }
  return module;
}

}  // namespace

const Symbol* Module::function(const void* address) const {
  const uint64_t value = reinterpret_cast<uint64_t>(address) - base;
  for (const Symbol& symbol : functions)
    if (value >= symbol.value && value < symbol.value + symbol.size) return &symbol;
  return nullptr;
}

const Module& ownModule() {
  static const Module module = read();
  return module;
}

void* threadLocalsOfThisThread() {
  static thread_local void* begin = findOwn().threadLocals;
  return begin;
}

std::string functionName(const void* address) {
  const Symbol* symbol = ownModule().function(address);
  if (!symbol) {
    char text[32];
    std::snprintf(text, sizeof text, "at %p", address);
    return text;
  }
  const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(symbol->name.c_str(), nullptr, nullptr, nullptr), &std::free);
  return name ? name.get() : symbol->name;
}

}  // namespace cudaShim
