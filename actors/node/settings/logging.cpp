#include "actors/node/settings/logging.hpp"

#include <array>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace muster::logging {
namespace {

struct level_name {
  std::string_view name;
  spdlog::level::level_enum value;
};

constexpr std::array levels{
  level_name{"trace", spdlog::level::trace},
  level_name{"debug", spdlog::level::debug},
  level_name{"info", spdlog::level::info},
  level_name{"warn", spdlog::level::warn},
  level_name{"error", spdlog::level::err},
  level_name{"off", spdlog::level::off},
};

/// The message with what JSON wants escaped (RFC 8259, 7). Bytes above 0x7F go
/// through as they are.
class escaped_message : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& to) override {
    static constexpr std::string_view hex = "0123456789abcdef";
    for (const char c : line.payload) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        to.push_back('\\');
        to.push_back(c);
      } else if (byte < 0x20) {
        const char code[] = {'\\', 'u', '0', '0', hex[byte >> 4],
                             hex[byte & 15]};
        to.append(code, code + sizeof code);
      } else {
        to.push_back(c);
      }
    }
  }

  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<escaped_message>();
  }
};

/// The message on one line: a client's bytes must not make lines of their own.
class one_line_message : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& to) override {
    for (const char c : line.payload) {
      const auto byte = static_cast<unsigned char>(c);
      to.push_back(byte < 0x20 || byte == 0x7F ? ' ' : c);
    }
  }

  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<one_line_message>();
  }
};

std::unique_ptr<spdlog::formatter> make_formatter(bool json) {
  auto made = std::make_unique<spdlog::pattern_formatter>(
    spdlog::pattern_time_type::utc);
  if (json)
    made->add_flag<escaped_message>('*').set_pattern(
      R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","thread":%t,)"
      R"("message":"%*"})");
  else
    made->add_flag<one_line_message>('*').set_pattern(
      "%Y-%m-%dT%H:%M:%S.%eZ %-7l %*");
  return made;
}

const level_name* find_level(std::string_view name) {
  for (const auto& each : levels)
    if (each.name == name)
      return &each;
  return nullptr;
}

} // namespace

result<void> start(const settings::log_group& options) {
  try {
    std::vector<spdlog::sink_ptr> sinks{
      std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    if (!options.file.empty())
      sinks.push_back(
        std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
    auto logger = std::make_shared<spdlog::logger>("muster", sinks.begin(),
                                                   sinks.end());
    logger->set_formatter(make_formatter(options.format == "json"));
    // No flushing thread: it would exist before main has blocked the signals.
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
  } catch (const std::exception& problem) {
    return fail(errc::failed_precondition, problem.what());
  }
  return set_level(options.level);
}

result<void> set_level(std::string_view name) {
  const auto* found = find_level(name);
  if (found == nullptr)
    return fail(errc::invalid_argument,
                "log level '" + std::string(name)
                  + "': wanted is trace, debug, info, warn, error or off");
  spdlog::set_level(found->value);
  return {};
}

std::string_view level() {
  for (const auto& each : levels)
    if (each.value == spdlog::get_level())
      return each.name;
  return "off";
}

void flush() { spdlog::default_logger()->flush(); }

} // namespace muster::logging
