#include "protocols/nacos/grpc/members.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "actors/core/base/text.hpp"

namespace muster::nacos::remote {

namespace {

std::optional<std::int64_t> to_number(const boost::json::value& value) {
  if (value.is_number()) {
    std::error_code fault;
    const auto out = value.to_number<std::int64_t>(fault);
    return fault ? std::nullopt : std::optional(out);
  }
  if (!value.is_string())
    return std::nullopt;
  return parse_number<std::int64_t>(value.get_string());
}

} // namespace

const boost::json::value* members::find(std::string_view name) const {
  const auto* value = object_.if_contains(name);
  return value && !value->is_null() ? value : nullptr;
}

std::optional<std::string_view> members::text(std::string_view name) {
  const auto* value = find(name);
  if (!value)
    return std::nullopt;
  if (value->is_string())
    return std::string_view{value->get_string()};
  if (value->is_structured()) {
    good_ = false;
    return std::nullopt;
  }
  return coerced_.emplace_back(boost::json::serialize(*value));
}

bool members::flag(std::string_view name, bool fallback) {
  const auto* value = find(name);
  if (!value)
    return fallback;
  if (value->is_bool())
    return value->get_bool();
  const auto* word = value->if_string();
  if (word && (*word == "true" || *word == "false"))
    return *word == "true";
  good_ = false;
  return fallback;
}

std::int64_t members::number(std::string_view name, std::int64_t fallback) {
  const auto* value = find(name);
  if (!value)
    return fallback;
  const auto out = to_number(*value);
  good_ = good_ && out;
  return out.value_or(fallback);
}

const boost::json::object* members::object(std::string_view name) {
  const auto* value = find(name);
  good_ = good_ && (!value || value->is_object());
  return value ? value->if_object() : nullptr;
}

const boost::json::array* members::array(std::string_view name) {
  const auto* value = find(name);
  good_ = good_ && (!value || value->is_array());
  return value ? value->if_array() : nullptr;
}

} // namespace muster::nacos::remote
