#pragma once
// What the cases say together.

#include <map>
#include <string>

#include "cases.hpp"
#include "interleave.hpp"

namespace kinglet::tools {

class Summary {
 public:
  /// A case that is measured again replaces what it was.
  void add(const CaseId& id, Limit limit, const Result& result);
  /// One line for each kernel, instruction set and range of m: geometric mean and minimum of the shares, and of the
  /// ratios to each baseline. Empty when nothing ran.
  std::string text() const;

 private:
  struct Entry {
    CaseId id;
    Limit limit;
    Result result;
  };
  std::map<std::string, Entry> entries_;
};

/// "FMA peak"
const char* text_of(Limit limit);

}  // namespace kinglet::tools
