#include "tools/musterctl/tls_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "actors/core/cluster/node_role.hpp"
#include "tools/musterctl/certificates.hpp"

namespace muster::ctl {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t authority_days = 3650;
/// Clocks of nodes may be so much behind the one here.
constexpr std::chrono::hours clocks_apart{1};
constexpr std::size_t host_bytes_max = 253;
constexpr std::size_t common_name_max = 64;

struct named_file {
  fs::path path;
  std::string content;
};

std::unexpected<error> of_system(const fs::path& path, const char* what) {
  return fail(errc::failed_precondition,
              path.string() + " " + what + ": "
                  + std::system_category().message(errno));
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool is_host(const std::string& text) {
  if (is_ip_address(text))
    return true;
  return !text.empty() && text.size() <= host_bytes_max && text.front() != '.'
         && text.front() != '-' && std::ranges::all_of(text, [](char c) {
              return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                     || (c >= '0' && c <= '9') || c == '.' || c == '-';
            });
}

/// Of a node, or of the CA.
struct file_pair {
  fs::path certificate;
  fs::path key;
};

file_pair files_of(const fs::path& directory, const std::string& name) {
  return {directory / (name + ".crt"), directory / (name + ".key")};
}

result<void> check(const tls_request& wanted) {
  if (wanted.directory.empty())
    return fail(errc::invalid_argument, "no directory is named");
  if (wanted.nodes.empty())
    return fail(errc::invalid_argument, "no node is named");
  if (wanted.days < 1 || wanted.days > authority_days)
    return fail(errc::invalid_argument, "certificates hold for 1 to "
                                            + std::to_string(authority_days)
                                            + " days");
  for (auto each = wanted.nodes.begin(); each != wanted.nodes.end(); ++each) {
    if (!is_host(*each) || *each == "ca")
      return fail(errc::invalid_argument,
                  "'" + *each
                      + "' is not a host name or an IP address (without port)");
    if (std::find(wanted.nodes.begin(), each, *each) != each)
      return fail(errc::invalid_argument, *each + " is named twice");
    const auto files = files_of(wanted.directory, *each);
    if (is_there(files.certificate) || is_there(files.key))
      return fail(errc::already_exists,
                  files.certificate.string()
                      + " or its key is there already; to replace them, move "
                        "both away first");
  }
  return {};
}

result<void> make_directory(const fs::path& directory) {
  if (mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return of_system(directory, "cannot be made");
  return {};
}

/// Only for its owner, and only if it was not there.
result<void> write_new(const named_file& file) {
  const auto fd = ::open(file.path.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                         S_IRUSR | S_IWUSR);
  if (fd < 0)
    return of_system(file.path, "cannot be made");
  const auto size = static_cast<ssize_t>(file.content.size());
  const auto whole =
      ::write(fd, file.content.data(), file.content.size()) == size
      && ::fsync(fd) == 0;
  const auto closed = ::close(fd) == 0;
  if (whole && closed)
    return {};
  auto why = of_system(file.path, "cannot be written");
  ::unlink(file.path.c_str());
  return why;
}

result<std::string> read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in)
    return of_system(path, "cannot be read");
  return text;
}

/// Both files of an identity, the key first: without it nothing can be done
/// with the certificate.
result<void> add_files(const identity& of, const file_pair& to,
                       std::vector<named_file>& all) {
  auto key = to_pem(*of.key);
  auto certificate = to_pem(*of.certificate);
  if (!key || !certificate)
    return std::unexpected(key ? certificate.error() : key.error());
  all.push_back({to.key, std::move(*key)});
  all.push_back({to.certificate, std::move(*certificate)});
  return {};
}

/// The CA that is there, or none.
result<std::optional<identity>> read_authority(const file_pair& files) {
  const auto has_certificate = is_there(files.certificate);
  const auto has_key = is_there(files.key);
  if (!has_certificate && !has_key)
    return std::nullopt;
  if (has_certificate != has_key)
    return fail(errc::failed_precondition,
                (has_key ? files.certificate : files.key).string()
                    + " is missing beside "
                    + (has_key ? files.key : files.certificate).string());
  const auto certificate = read(files.certificate);
  const auto key = read(files.key);
  if (!certificate || !key)
    return std::unexpected(certificate ? key.error() : certificate.error());
  auto known = identity_from_pem(*certificate, *key);
  if (!known)
    return fail(errc::failed_precondition,
                files.certificate.string()
                    + " and its key: " + known.error().message);
  return std::move(*known);
}

/// Two CAs have different names, so that it shows whose a certificate is.
std::string authority_name() {
  std::random_device device;
  return "Muster cluster CA " + std::to_string(device());
}

result<identity> authority(const file_pair& files, wall_time now,
                           std::vector<named_file>& to_write) {
  auto known = read_authority(files);
  if (!known)
    return std::unexpected(known.error());
  if (*known)
    return std::move(**known);
  auto made = make_authority(
      authority_name(),
      {now - clocks_apart, now + std::chrono::days(authority_days)});
  if (!made)
    return made;
  if (auto added = add_files(*made, files, to_write); !added)
    return std::unexpected(added.error());
  return made;
}

result<identity> issue_for(const std::string& node, const validity& when,
                           const identity& by) {
  return issue({.common_name = node.substr(0, common_name_max),
                .hosts = {node},
                .uris = {cluster::node_role}},
               when, &by);
}

} // namespace

result<std::string> make_tls_files(const tls_request& wanted, wall_time now) {
  if (auto fine = check(wanted); !fine)
    return std::unexpected(fine.error());
  const auto of_authority = files_of(wanted.directory, "ca");
  std::vector<named_file> to_write;
  const auto by = authority(of_authority, now, to_write);
  if (!by)
    return std::unexpected(by.error());
  const validity when{now - clocks_apart, now + std::chrono::days(wanted.days)};
  const auto last = valid_until(*by->certificate);
  if (!last || *last < when.until)
    return fail(errc::failed_precondition,
                of_authority.certificate.string() + " does not hold for "
                    + std::to_string(wanted.days) + " days");
  for (const auto& node : wanted.nodes) {
    const auto made = issue_for(node, when, *by);
    if (!made)
      return std::unexpected(made.error());
    if (auto added =
            add_files(*made, files_of(wanted.directory, node), to_write);
        !added)
      return std::unexpected(added.error());
  }
  if (auto there = make_directory(wanted.directory); !there)
    return std::unexpected(there.error());
  std::string told;
  for (const auto& each : to_write) {
    if (auto done = write_new(each); !done)
      return std::unexpected(done.error());
    told += "made " + each.path.string() + "\n";
  }
  return told;
}

} // namespace muster::ctl
