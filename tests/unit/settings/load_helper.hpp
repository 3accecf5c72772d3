#pragma once

#include <string>
#include <vector>

#include "actors/node/settings/settings.hpp"

namespace muster::test {

inline result<loaded_settings> load(const std::vector<std::string>& arguments,
                                    const process_environment& variables = {}) {
  std::vector<const char*> argv{"musterd"};
  for (const auto& each : arguments)
    argv.push_back(each.c_str());
  return load_settings(static_cast<int>(argv.size()), argv.data(), variables);
}

} // namespace muster::test
