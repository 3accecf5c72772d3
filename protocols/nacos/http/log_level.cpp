#include <algorithm>
#include <array>
#include <cctype>

#include "protocols/common/json.hpp"
#include "protocols/nacos/http/handlers.hpp"
#include "protocols/nacos/http/read.hpp"

/// The log's level while running (nacos-http 6.3, platform 9).
namespace muster::nacos {

namespace {

/// Nacos has a log per module; here is one.
constexpr std::array<std::string_view, 2> log_names{"muster", "root"};

struct wanted_level {
  std::string log;
  std::string level;
};

/// `logName` and `logLevel`, from a JSON body (as Nacos' own client sends them)
/// or from parameters.
or_error<wanted_level> read_level(const http::request& request) {
  wanted_level wanted{std::string{request.params().get("logName")},
                      std::string{request.params().get("logLevel")}};
  if (!request.has_form() && !request.body.empty()) {
    const auto json = common::parse_json(request.body);
    const auto* object = json ? json->if_object() : nullptr;
    if (!object)
      return refuse(invalid("the body is no JSON object"));
    const auto take = [&](std::string_view name, std::string& into) {
      if (const auto* value = object->if_contains(name); value)
        if (const auto* text = value->if_string(); text)
          into = std::string_view{*text};
    };
    take("logName", wanted.log);
    take("logLevel", wanted.level);
  }
  if (wanted.log.empty())
    return refuse(missing_argument("logName"));
  if (wanted.level.empty())
    return refuse(missing_argument("logLevel"));
  return wanted;
}

} // namespace

awaitable<response> log_level_admin(context& c) {
  const auto answer = [&](const api_error& e) {
    return error_reply(family::envelope, c.request, e);
  };
  auto wanted = read_level(c.request);
  if (!wanted)
    co_return answer(wanted.error());
  if (std::ranges::find(log_names, wanted->log) == log_names.end())
    co_return answer(
        invalid("logName '" + wanted->log + "': this server has one log, muster"));
  std::ranges::transform(wanted->level, wanted->level.begin(), [](char each) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
  });
  if (const auto done = c.node.set_log_level(wanted->level); !done)
    co_return answer(invalid(done.error().message));
  co_return envelope("null");
}

} // namespace muster::nacos
