#pragma once

#include <string>
#include <utility>

#include "tools/history/check.hpp"

namespace muster::history {

/// Operations of one key, told one by one. Times are small numbers.
class told {
public:
  told& publish(std::string content, std::int64_t from, std::int64_t to,
                fate outcome = fate::ok) {
    auto& o = add(action::publish, from, to, outcome);
    o.content = std::move(content);
    return *this;
  }
  told& swap(std::string expected, std::string content, bool swapped,
             std::int64_t from, std::int64_t to, fate outcome = fate::ok) {
    auto& o = add(action::compare_and_set, from, to, outcome);
    o.expected = std::move(expected);
    o.content = std::move(content);
    o.swapped = swapped;
    return *this;
  }
  told& remove(std::int64_t from, std::int64_t to, fate outcome = fate::ok) {
    add(action::remove, from, to, outcome);
    return *this;
  }
  /// An empty `content` is nothing.
  told& read(std::string content, std::int64_t from, std::int64_t to,
             action what = action::read) {
    auto& o = add(what, from, to, fate::ok);
    if (!content.empty())
      o.content = std::move(content);
    return *this;
  }
  told& local(std::string content, std::int64_t from, std::int64_t to) {
    return read(std::move(content), from, to, action::local_read);
  }
  /// Who is asked from now on.
  told& at(std::string node) {
    node_ = std::move(node);
    return *this;
  }

  const std::vector<operation>& all() const { return all_; }
  verdict check() const { return check_key(all_); }

private:
  operation& add(action what, std::int64_t from, std::int64_t to,
                 fate outcome) {
    operation o;
    o.client = "c";
    o.key = "k";
    o.node = node_;
    o.what = what;
    o.outcome = outcome;
    o.invoked = from;
    o.returned = outcome == fate::unknown ? never : to;
    o.line = all_.size() + 1;
    return all_.emplace_back(std::move(o));
  }

  std::string node_ = "n1";
  std::vector<operation> all_;
};

} // namespace muster::history
