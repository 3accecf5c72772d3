#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <iterator>
#include <set>
#include <utility>

#include "actors/node/settings/command_line.hpp"
#include "actors/node/settings/keys.hpp"
#include "actors/node/settings/member_list.hpp"
#include "actors/node/settings/settings.hpp"
#include "actors/node/settings/source.hpp"
#include "actors/node/settings/values.hpp"

namespace muster {
namespace {

using source::entry;

std::string default_file() {
  for (const char* path : {"conf/application.yml", "conf/application.yaml",
                           "conf/application.properties"}) {
    std::error_code failed;
    if (std::filesystem::is_regular_file(path, failed))
      return path;
  }
  return {};
}

/// Puts entries into settings, weakest first, and collects what to say.
class assigner {
public:
  explicit assigner(loaded_settings& out) : out_(out) {}

  void take(const entry& each) {
    const auto* key = keys::find(each.key);
    if (key == nullptr) {
      warn_once(each, "unknown setting, ignored");
      return;
    }
    if (!each.problem.empty()) {
      take_problem(each, *key);
      return;
    }
    const auto value = values::trim(each.value);
    // Files written for containers set what is not set to an empty text; only
    // a context path has a meaning when empty.
    const bool is_root
      = value.empty() && key->names.starts_with("server.context-path");
    if (value.empty() && !is_root)
      return;
    if (const auto wanted = keys::assign(*key, value, out_.values)) {
      complain(each, "'" + (key->hidden ? "(hidden)" : std::string(value))
                       + "' is wrong: wanted is " + *wanted);
      return;
    }
    if (values::lower(value) == key->inert)
      return;
    if (key->does == keys::effect::later)
      warn_once(each, "known setting, but this version does not act on it");
    else if (key->does == keys::effect::refused)
      warn_once(each, "is never obeyed, on purpose");
  }

  void complain(const entry& each, const std::string& what) {
    if (!errors_.empty())
      errors_ += '\n';
    errors_ += each.place + ": " + each.key + ": " + what;
  }

  const std::string& errors() const { return errors_; }

private:
  void take_problem(const entry& each, const keys::row& key) {
    if (key.set != nullptr)
      complain(each, each.problem);
    else
      warn_once(each, each.problem);
  }

  void warn_once(const entry& each, const std::string& what) {
    if (warned_.insert(keys::flatten(each.key)).second)
      out_.warnings.push_back(each.place + ": " + each.key + ": " + what);
  }

  loaded_settings& out_;
  std::set<std::string> warned_;
  std::string errors_;
};

void check_members(loaded_settings& out, assigner& to) {
  const auto& values = out.values;
  const auto members = configured_members(values);
  if (!members)
    to.complain({"member.list", "", "settings"}, members.error().message);
  else if (!*members && !asks_address_server(values)
           && !values.server.standalone.value_or(true))
    out.warnings.emplace_back(
      "standalone=false, but nothing names members (member.list, "
      + values.cluster.members_file + "): the node stands alone");
  else if ((*members || asks_address_server(values))
           && exposes_cluster_port(values))
    to.complain({"cluster.plaintext", "", "settings"},
                "members on other hosts are to be talked to by TLS "
                "(cluster.tls.ca and the two beside it); true lets whoever "
                "reaches port "
                  + std::to_string(values.cluster_port()) + " change all data");
}

/// A node that is meant to have TLS never starts without it.
void check_tls(const settings& values, assigner& to) {
  const auto& c = values.cluster;
  const std::array<std::pair<const char*, const std::string*>, 3> files{
    {{"cluster.tls.ca", &c.tls_ca},
     {"cluster.tls.certificate", &c.tls_certificate},
     {"cluster.tls.key", &c.tls_key}}};
  const auto empty = std::ranges::count_if(
    files, [](const auto& each) { return each.second->empty(); });
  if (empty == std::ssize(files))
    return;
  for (const auto& [key, file] : files)
    if (file->empty())
      to.complain({key, "", "settings"},
                  "is missing: cluster.tls.ca, cluster.tls.certificate and "
                  "cluster.tls.key are set together");
  if (c.plaintext)
    to.complain({"cluster.plaintext", "", "settings"},
                "is true, but cluster.tls.* says that nodes use TLS");
}

/// What no single row can see.
void check_together(loaded_settings& out, assigner& to) {
  const auto& values = out.values;
  const auto last = std::uint32_t{values.server.port} + values.grpc.port_offset;
  if (last > 65535)
    to.complain({"server.grpc.port.offset", "", "settings"},
                "port " + std::to_string(values.server.port) + " + "
                  + std::to_string(values.grpc.port_offset)
                  + " is not a port");
  check_members(out, to);
  check_tls(values, to);
  // Better no server than one that is open against its owner's will.
  if (values.auth.enabled)
    to.complain({"core.auth.enabled", "", "settings"},
                "this version has no accounts and would serve everybody; "
                "leave it false, or keep clients out by a network rule");
}

void append(source::entries& all, source::entries more) {
  std::ranges::move(more, std::back_inserter(all));
}

/// An address as a client on this host would write it.
std::string reachable(const std::string& address) {
  if (address == "0.0.0.0")
    return "127.0.0.1";
  if (address.find(':') == std::string::npos)
    return address;
  return address == "::" ? "[::1]" : "[" + address + "]";
}

/// What the settings come to, for `--check-config`; tools/run reads it.
std::string summary(const loaded_settings& from) {
  const auto& values = from.values;
  return "settings are valid\n"
         "file      " + (from.file.empty() ? "none" : from.file) + "\n"
         "HTTP      http://" + reachable(values.server.address) + ":"
         + std::to_string(values.server.port) + values.server.context_path
         + "\nSDK gRPC  " + reachable(values.grpc_address()) + ":"
         + std::to_string(values.sdk_port()) + "\n"
         "data      " + values.storage.data_dir + "\n";
}

result<loaded_settings> load(int argc, const char* const* argv,
                             const process_environment& variables) {
  auto line = parse_command_line(argc, argv);
  if (!line)
    return std::unexpected(line.error());
  loaded_settings out;
  out.mode = line->mode;
  out.text = std::move(line->text);
  out.warnings = std::move(line->warnings);
  if (out.mode == start_mode::print)
    return out;

  out.file = line->file.empty() ? default_file() : line->file;
  source::entries all;
  if (!out.file.empty()) {
    auto from_file = source::read_file(out.file);
    if (!from_file)
      return std::unexpected(from_file.error());
    all = std::move(*from_file);
  }
  append(all, source::from_environment(variables, out.warnings));
  append(all, std::move(line->entries));
  source::expand_placeholders(all, variables);

  assigner to(out);
  for (const auto& each : all)
    to.take(each);
  check_together(out, to);
  if (!to.errors().empty())
    return fail(errc::invalid_argument, to.errors());
  if (out.mode == start_mode::check_config)
    out.text = summary(out);
  return out;
}

} // namespace

process_environment read_environment(char** variables) {
  process_environment out;
  for (; variables != nullptr && *variables != nullptr; ++variables) {
    const std::string_view each = *variables;
    const auto equal = each.find('=');
    if (equal != each.npos)
      out.emplace_back(each.substr(0, equal), each.substr(equal + 1));
  }
  return out;
}

result<loaded_settings> load_settings(int argc, const char* const* argv,
                                      const process_environment& variables) {
  try {
    return load(argc, argv, variables);
  } catch (const std::exception& problem) {
    return fail(errc::invalid_argument,
                std::string("settings: ") + problem.what());
  }
}

} // namespace muster
