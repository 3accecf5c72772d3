#include "protocols/common/router.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "actors/core/base/invariant.hpp"

namespace muster::common {

namespace {

/// "/a/{b}" -> "a", "{b}". `path` starts with '/'.
std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  for (std::size_t begin = 1; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    out.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

bool is_any(std::string_view segment) noexcept {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

/// Stands for any segment where the name does not matter; names may differ
/// between the methods of one path.
constexpr std::string_view any = "{}";

/// Equal for patterns that match the same paths.
std::string shape_of(std::string_view pattern) {
  std::string shape;
  for (const auto segment : segments_of(pattern))
    shape.append("/").append(is_any(segment) ? any : segment);
  return shape;
}

result<void> check_row(const route& row) {
  const std::string what{row.pattern};
  if (row.call == nullptr)
    return fail(errc::invalid_argument, what + ": no handler");
  if (!row.pattern.starts_with('/'))
    return fail(errc::invalid_argument, what + ": must start with '/'");
  for (const auto segment : segments_of(row.pattern))
    if (!is_any(segment) && segment.find_first_of("{}") != segment.npos)
      return fail(errc::invalid_argument, what + ": bad segment");
  return {};
}

std::string allowed(const std::array<const bound_route*, http::method_count>& m,
                    bool has_get) {
  std::string out;
  for (std::size_t i = 0; i < m.size(); ++i) {
    const auto verb = static_cast<http::method>(i);
    if (m[i] == nullptr && !(verb == http::method::head && has_get))
      continue;
    if (!out.empty())
      out += ", ";
    out += http::to_string(verb);
  }
  return out;
}

void name_values(std::string_view pattern,
                 std::vector<http::request::field>& values) {
  if (values.empty())
    return;
  auto value = values.begin();
  for (const auto segment : segments_of(pattern))
    if (is_any(segment))
      (value++)->first = segment.substr(1, segment.size() - 2);
}

/// The context path as it stands before a pattern; "/" is none.
std::string_view prefix_of(const product& p) noexcept {
  std::string_view prefix = p.context_path;
  while (prefix.ends_with('/'))
    prefix.remove_suffix(1);
  return prefix;
}

} // namespace

result<void> router::check(std::span<const product> products) {
  std::set<std::pair<http::method, std::string>> seen;
  if (products.empty())
    return fail(errc::invalid_argument, "no product");
  for (const auto& p : products) {
    const std::string prefix{prefix_of(p)};
    if (!prefix.empty() && !prefix.starts_with('/'))
      return fail(errc::invalid_argument, prefix + ": must start with '/'");
    for (const auto& row : p.routes) {
      if (auto ok = check_row(row); !ok)
        return ok;
      for (const auto& base : std::set<std::string>{"", prefix})
        if (!seen.emplace(row.verb, shape_of(base + std::string(row.pattern)))
                 .second)
          return fail(errc::invalid_argument,
                      std::string(row.pattern) + ": twice in the tables");
    }
  }
  return {};
}

router::router(std::span<const product> products) : products_(products) {
  const auto ok = check(products);
  MUSTER_INVARIANT(ok, ok ? "" : ok.error().message.c_str());
  // No reallocation afterwards: the maps point into rows_.
  for (const auto& p : products)
    for (const auto& row : p.routes)
      rows_.push_back({&row, &p, rows_.size()});
  for (const auto& bound : rows_) {
    const std::string path{bound.row->pattern};
    add(path, bound);
    if (const auto prefix = prefix_of(*bound.owner); !prefix.empty())
      add(std::string(prefix) + path, bound);
  }
}

void router::add(std::string path, const bound_route& row) {
  const auto verb = static_cast<std::size_t>(row.row->verb);
  if (path.find('{') == std::string::npos) {
    fixed_[std::move(path)][verb] = &row;
    return;
  }
  pattern entry;
  for (const auto segment : segments_of(path))
    entry.segments.emplace_back(is_any(segment) ? any : segment);
  const auto same =
      std::ranges::find(patterns_, entry.segments, &pattern::segments);
  (same == patterns_.end() ? patterns_.emplace_back(std::move(entry)) : *same)
      .rows[verb] = &row;
}

const product& router::owner_of(std::string_view path) const {
  const product* best = &products_.front();
  std::size_t length = 0;
  for (const auto& p : products_) {
    const auto prefix = prefix_of(p);
    const bool below =
        path.starts_with(prefix)
        && (path.size() == prefix.size() || path[prefix.size()] == '/');
    if (below && prefix.size() > length) {
      best = &p;
      length = prefix.size();
    }
  }
  return *best;
}

const router::by_method*
router::match(std::string_view path,
              std::vector<http::request::field>& values) const {
  if (const auto it = fixed_.find(path); it != fixed_.end())
    return &it->second;
  if (patterns_.empty() || !path.starts_with('/'))
    return nullptr;
  const auto parts = segments_of(path);
  for (const auto& p : patterns_) {
    const bool fits = std::ranges::equal(
        p.segments, parts, [](std::string_view want, std::string_view is) {
          return want == any ? !is.empty() : want == is;
        });
    if (!fits)
      continue;
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (p.segments[i] == any)
        values.emplace_back(std::string_view{}, parts[i]);
    return &p.rows;
  }
  return nullptr;
}

router::found router::find(http::method verb, std::string_view path,
                           std::vector<http::request::field>& values) const {
  const auto* rows = match(path, values);
  if (rows == nullptr)
    return {nullptr, {}, &owner_of(path)};
  const auto at = [&](http::method m) {
    return (*rows)[static_cast<std::size_t>(m)];
  };
  const auto* route = at(verb);
  if (route == nullptr && verb == http::method::head)
    route = at(http::method::get);
  if (route != nullptr) {
    name_values(route->row->pattern, values);
    return {route, {}, route->owner};
  }
  return {nullptr, allowed(*rows, at(http::method::get) != nullptr),
          &owner_of(path)};
}

} // namespace muster::common
