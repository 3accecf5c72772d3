#include "actors/api/burst.hpp"

#include <utility>
#include <vector>

#include "actors/core/base/invariant.hpp"

namespace muster::api {

namespace {

thread_local bool is_open = false;
thread_local std::vector<std::shared_ptr<sleeper>> held;

} // namespace

burst::burst() {
  MUSTER_INVARIANT(!is_open, "one burst at a time per thread");
  is_open = true;
}

burst::~burst() {
  is_open = false;
  for (const auto& each : held)
    each->wake();
  held.clear();
}

bool burst::hold(std::shared_ptr<sleeper> who) {
  if (is_open)
    held.push_back(std::move(who));
  return is_open;
}

} // namespace muster::api
