#include "actors/node/settings/command_line.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>

#include <CLI/CLI.hpp>

#include "actors/node/settings/values.hpp"
#include "actors/node/settings/version.hpp"

namespace muster {
namespace {

constexpr const char* place = "command line";

/// `--a.b=c`, `-Da.b=c`, `-Dname=c`: the dotted form of any setting. Flags have
/// no dot in their name.
bool take_dotted(std::string_view argument, command_line& out) {
  const auto equal = argument.find('=');
  auto name = argument.substr(0, equal);
  if (name.starts_with("-D"))
    name.remove_prefix(2);
  else if (name.starts_with("--") && name.find('.') != name.npos)
    name.remove_prefix(2);
  else
    return false;
  if (name.empty())
    return false;
  // `-Dname` without a value is true, as a JVM has it.
  const auto value
    = equal == argument.npos ? "true" : argument.substr(equal + 1);
  out.entries.push_back({std::string(name), std::string(value), place});
  return true;
}

/// Batata's -c is a file, Nacos' -c is a list of members.
bool means_file(const std::string& value) {
  std::error_code failed;
  return value.ends_with(".yml") || value.ends_with(".yaml")
         || value.ends_with(".properties")
         || std::filesystem::is_regular_file(value, failed);
}

struct flags {
  std::string config, file_or_members, mode;
  bool check = false;
  bool startup_script = false;
  /// Value and key of the flags that are nothing but a short name of a key.
  struct named {
    const char* flag;
    const char* key;
    const char* help;
    std::string value{};
  };
  std::array<named, 10> plain{{
    {"--data", "data.dir", "Data directory"},
    {"--bind", "server.address", "IP address to listen on"},
    {"--port", "server.main.port",
     "HTTP port N; SDK gRPC listens on N+1000, N+1001 is the cluster's"},
    {"--members", "member.list",
     "HOST:PORT,… the main addresses of all nodes of a cluster, this one's too"},
    {"--log-level", "log.level", "trace, debug, info, warn, error, off"},
    {"--log-format", "log.format", "plain or json"},
    {"-f,--function-mode,--function_mode", "functionMode",
     "config, naming, microservice, ai, all"},
    {"-d,--deployment", "deployment.type", "merged, server, console"},
    {"--db-url", "db.url", "External database"},
    {"-p", "embeddedStorage", "embedded: no external database"},
  }};
};

void declare(CLI::App& app, flags& into) {
  app.add_option("--config", into.config,
                 "Settings: a .yml, .yaml or .properties file");
  app.add_option("-c", into.file_or_members,
                 "The same, or a comma-separated list of members");
  for (auto& each : into.plain)
    app.add_option(each.flag, each.value, each.help);
  app.add_option("-m,--mode", into.mode, "standalone or cluster")
    ->check(CLI::IsMember({"standalone", "cluster"}));
  app.add_flag("--check-config", into.check,
               "Say what is wrong with the settings, then end");
  app.add_flag("-s", into.startup_script)->group("");
  app.set_version_flag("--version", std::string(version_text()));
  app.footer("Any setting: --dotted.name=value or -Ddotted.name=value.\n"
             "Order: these, flags, environment, file, defaults. "
             "conf/application.yml explains the settings.");
}

void collect(flags& given, command_line& out) {
  source::entries entries;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty())
      entries.push_back({key, value, place});
  };
  for (const auto& each : given.plain)
    add(each.key, each.value);
  if (!given.mode.empty())
    add("standalone", given.mode == "standalone" ? "true" : "false");
  out.file = given.config;
  if (means_file(given.file_or_members) && out.file.empty())
    out.file = given.file_or_members;
  else
    add("member.list", given.file_or_members);
  if (given.startup_script)
    out.warnings.emplace_back("command line -s: has no meaning here");
  out.mode = given.check ? start_mode::check_config : start_mode::serve;
  out.entries.insert(out.entries.begin(), entries.begin(), entries.end());
}

} // namespace

result<command_line> parse_command_line(int argc, const char* const* argv) {
  command_line out;
  std::vector<std::string> rest;
  for (int i = 1; i < argc; ++i)
    if (!take_dotted(argv[i], out))
      rest.emplace_back(argv[i]);
  // CLI11 takes a vector from its back.
  std::ranges::reverse(rest);
  CLI::App app("Muster: service registry and configuration centre.",
               "musterd");
  flags given;
  declare(app, given);
  try {
    app.parse(rest);
  } catch (const CLI::CallForHelp&) {
    out.text = app.help();
  } catch (const CLI::CallForVersion&) {
    out.text = std::string(version_text()) + "\n";
  } catch (const std::exception& problem) {
    return fail(errc::invalid_argument,
                std::string("command line: ") + problem.what());
  }
  if (!out.text.empty()) {
    out.mode = start_mode::print;
    return out;
  }
  collect(given, out);
  return out;
}

} // namespace muster
