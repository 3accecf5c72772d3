#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

/// Reading members of a request's JSON object as leniently as Jackson does.
namespace muster::nacos::remote {

/// Absent and null are the same. A text may come as number or boolean and the
/// other way round; an object or array in their place is a fault, which sticks.
/// Views live as long as the object and this reader. Source: nacos-grpc 13.2.
class members {
public:
  explicit members(const boost::json::object& object) : object_(object) {}

  /// Whether all that was read had a possible type.
  bool good() const noexcept { return good_; }

  std::optional<std::string_view> text(std::string_view name);
  std::string_view text_or(std::string_view name,
                           std::string_view fallback = {}) {
    return text(name).value_or(fallback);
  }
  bool flag(std::string_view name, bool fallback);
  std::int64_t number(std::string_view name, std::int64_t fallback);

  /// Null if absent.
  const boost::json::object* object(std::string_view name);
  const boost::json::array* array(std::string_view name);

private:
  const boost::json::value* find(std::string_view name) const;

  const boost::json::object& object_;
  std::list<std::string> coerced_; ///< texts of what came as something else
  bool good_ = true;
};

} // namespace muster::nacos::remote
