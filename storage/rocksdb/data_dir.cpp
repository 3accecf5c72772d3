#include "storage/rocksdb/data_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

#include "actors/core/base/crc32c.hpp"

namespace muster::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view first_line = "muster data directory";
constexpr std::size_t cluster_max = 128;
constexpr std::uint64_t partitions_max = 1U << 16U;
/// An IDENTITY longer than this is none.
constexpr std::size_t identity_bytes_max = 4096;

constexpr std::size_t note_bytes_max = 1U << 20U;

/// A file descriptor that closes itself.
class descriptor {
public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(descriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

private:
  int fd_;
};

std::unexpected<error> system_failure(const fs::path& path,
                                      std::string_view what, int code) {
  const auto kind
    = code == ENOSPC ? errc::resource_exhausted : errc::internal;
  return fail(kind, path.string() + ": " + std::string(what) + ": "
                      + std::generic_category().message(code));
}

std::unexpected<error> refuse(errc code, const fs::path& path,
                              const std::string& reason) {
  return fail(code, path.string() + ": " + reason);
}

bool valid_cluster(std::string_view text) {
  const auto allowed = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= cluster_max
         && std::ranges::all_of(text, allowed);
}

result<void> sync_directory(const fs::path& directory) {
  const descriptor fd{::open(directory.c_str(),
                             O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd.get() < 0)
    return system_failure(directory, "cannot open", errno);
  if (::fsync(fd.get()) != 0)
    return system_failure(directory, "cannot sync", errno);
  return {};
}

/// Makes the directory; parents get the usual mode, the last part 0700.
result<void> make_directory(const fs::path& directory) {
  std::error_code ec;
  if (fs::is_directory(directory, ec))
    return {};
  if (directory.empty())
    return fail(errc::invalid_argument, "data directory: no path given");
  const auto parent = fs::absolute(directory, ec).parent_path();
  if (!ec)
    fs::create_directories(parent, ec);
  if (ec)
    return refuse(errc::invalid_argument, parent,
                  "cannot make the directory: " + ec.message());
  if (::mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return refuse(errc::invalid_argument, directory,
                  "cannot make the directory: "
                    + std::generic_category().message(errno));
  if (!fs::is_directory(directory, ec))
    return refuse(errc::invalid_argument, directory, "is not a directory");
  return sync_directory(parent);
}

result<descriptor> take_lock(const fs::path& path) {
  descriptor fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC,
                       S_IRUSR | S_IWUSR)};
  if (fd.get() < 0)
    return system_failure(path, "cannot open", errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0)
    return fd;
  if (errno == EWOULDBLOCK)
    return refuse(errc::unavailable, path,
                  "the data directory is in use by another process");
  return system_failure(path, "cannot lock", errno);
}

/// Writes all of `text` or returns errno.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR)
      return errno;
    if (n > 0)
      text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

/// Replaces a file as a whole, durably.
result<void> write_small(const fs::path& directory, const std::string& name,
                         std::string_view text) {
  const auto temporary = directory / (name + ".tmp");
  const auto final_path = directory / name;
  {
    const descriptor fd{::open(temporary.c_str(),
                               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                               S_IRUSR | S_IWUSR)};
    if (fd.get() < 0)
      return system_failure(temporary, "cannot open", errno);
    if (const int code = write_all(fd.get(), text); code != 0)
      return system_failure(temporary, "cannot write", code);
    if (::fsync(fd.get()) != 0)
      return system_failure(temporary, "cannot sync", errno);
  }
  if (::rename(temporary.c_str(), final_path.c_str()) != 0)
    return system_failure(final_path, "cannot rename to it", errno);
  return sync_directory(directory);
}

result<void> write_identity(const fs::path& directory, const identity& id) {
  return write_small(directory, "IDENTITY",
                     std::string(first_line) + "\nformat "
                       + std::to_string(data_dir::format_version) + "\nnode "
                       + std::to_string(id.node.value) + "\ncluster "
                       + id.cluster + "\npartitions "
                       + std::to_string(id.partitions) + "\n");
}

/// First line of a note: its checksum.
std::string check_line(std::string_view text) {
  return std::to_string(crc32c(text)) + "\n";
}

/// Takes "<name> <value>\n" off the front of `text`.
bool take_line(std::string_view& text, std::string_view name,
               std::string_view& value) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(name)
      || end <= name.size() || text[name.size()] != ' ')
    return false;
  value = text.substr(name.size() + 1, end - name.size() - 1);
  text.remove_prefix(end + 1);
  return true;
}

bool parse_number(std::string_view text, std::uint64_t& number) {
  const auto [end, ec]
    = std::from_chars(text.data(), text.data() + text.size(), number);
  return ec == std::errc{} && end == text.data() + text.size();
}

/// Reads at most `bytes_max` + 1 bytes of `path`.
result<std::string> read_small(const fs::path& path, std::size_t bytes_max) {
  const descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (fd.get() < 0)
    return system_failure(path, "cannot open", errno);
  std::string text(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return system_failure(path, "cannot read", errno);
    if (n == 0)
      break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  return text;
}

/// The format line is judged before the rest: a newer format may look
/// different below it.
result<identity> read_identity(const fs::path& path) {
  const auto text = read_small(path, identity_bytes_max);
  if (!text)
    return std::unexpected(text.error());
  const auto broken
    = [&](const char* why) { return refuse(errc::data_loss, path, why); };
  std::string_view rest = *text;
  if (rest.size() > identity_bytes_max)
    return broken("is too long");
  if (!rest.starts_with(first_line)
      || !rest.substr(first_line.size()).starts_with('\n'))
    return broken("does not begin as an identity file does");
  rest.remove_prefix(first_line.size() + 1);
  std::string_view value;
  std::uint64_t format = 0;
  if (!take_line(rest, "format", value) || !parse_number(value, format))
    return broken("has no readable format line");
  if (format > data_dir::format_version)
    return refuse(errc::failed_precondition, path,
                  "format " + std::to_string(format)
                    + " is newer than this program, which knows up to "
                    + std::to_string(data_dir::format_version));
  if (format == 0)
    return broken("format 0 does not exist");
  identity id;
  std::string_view number;
  if (!take_line(rest, "node", value) || !parse_number(value, id.node.value)
      || id.node.value == 0)
    return broken("has no readable node line");
  if (!take_line(rest, "cluster", value) || !valid_cluster(value))
    return broken("has no readable cluster line");
  std::uint64_t partitions = 0;
  if (!take_line(rest, "partitions", number) || !parse_number(number, partitions)
      || partitions == 0 || partitions > partitions_max)
    return broken("has no readable partitions line");
  if (!rest.empty())
    return broken("has more lines than format 1 has");
  id.cluster = value;
  id.partitions = static_cast<std::uint32_t>(partitions);
  return id;
}

/// Whether there is anything but what `open` itself may have left.
result<bool> holds_data(const fs::path& directory) {
  std::error_code ec;
  for (fs::directory_iterator it{directory, ec}, end; !ec && it != end;
       it.increment(ec)) {
    const auto name = it->path().filename();
    if (name != "LOCK" && name != "IDENTITY.tmp")
      return true;
  }
  if (ec)
    return system_failure(directory, "cannot list", ec.value());
  return false;
}

/// A directory with something in it but no identity is not ours to use.
result<void> refuse_foreign(const fs::path& directory, const fs::path& path) {
  std::error_code ec;
  if (fs::exists(path, ec))
    return {};
  const auto data = holds_data(directory);
  if (!data)
    return std::unexpected(data.error());
  if (*data)
    return refuse(errc::failed_precondition, path,
                  "is missing beside existing data; this is not a data "
                  "directory, or it is damaged");
  return {};
}

result<identity> make_identity(const data_dir_options& options,
                               const fs::path& path) {
  if (options.fresh.node.value == 0)
    return refuse(errc::invalid_argument, path, "node id 0 cannot be used");
  if (!valid_cluster(options.fresh.cluster))
    return refuse(errc::invalid_argument, path,
                  "cluster id must be 1 to 128 of a-z A-Z 0-9 - _ .");
  if (auto done = write_identity(options.directory, options.fresh); !done)
    return std::unexpected(done.error());
  return options.fresh;
}

result<void> check_owner(const data_dir_options& options, const fs::path& path,
                         const identity& id) {
  if (options.expected_node && *options.expected_node != id.node)
    return refuse(errc::failed_precondition, path,
                  "belongs to node " + std::to_string(id.node.value)
                    + ", not to node "
                    + std::to_string(options.expected_node->value));
  if (options.expected_cluster && *options.expected_cluster != id.cluster)
    return refuse(errc::failed_precondition, path,
                  "belongs to cluster " + id.cluster + ", not to cluster "
                    + *options.expected_cluster);
  if (options.expected_partitions
      && *options.expected_partitions != id.partitions)
    return refuse(errc::failed_precondition, path,
                  "was made with " + std::to_string(id.partitions)
                    + " partitions, not with "
                    + std::to_string(*options.expected_partitions)
                    + "; storage.partitions cannot be changed");
  return {};
}

} // namespace

result<data_dir> data_dir::open(const data_dir_options& options) {
  const auto& directory = options.directory;
  if (auto made = make_directory(directory); !made)
    return std::unexpected(made.error());
  const auto path = directory / "IDENTITY";
  // Before the lock, so that no LOCK file is left in a foreign directory.
  if (auto ours = refuse_foreign(directory, path); !ours)
    return std::unexpected(ours.error());
  auto lock = take_lock(directory / "LOCK");
  if (!lock)
    return std::unexpected(lock.error());
  std::error_code ec;
  const bool known = fs::exists(path, ec);
  if (ec)
    return system_failure(path, "cannot look it up", ec.value());
  auto id = known ? read_identity(path) : make_identity(options, path);
  if (!id)
    return std::unexpected(id.error());
  if (auto checked = check_owner(options, path, *id); !checked)
    return std::unexpected(checked.error());
  return data_dir{directory, std::move(*id), lock->release()};
}

result<std::optional<std::string>>
data_dir::load_note(const std::string& name) const {
  const auto path = directory_ / name;
  std::error_code ec;
  if (!fs::exists(path, ec) && !ec)
    return std::nullopt;
  auto text = read_small(path, note_bytes_max);
  if (!text)
    return std::unexpected(text.error());
  const auto end = text->find('\n');
  if (text->size() > note_bytes_max || end == std::string::npos
      || check_line(std::string_view(*text).substr(end + 1))
           != text->substr(0, end + 1))
    return refuse(errc::data_loss, path, "is not what was written");
  return text->substr(end + 1);
}

result<void> data_dir::store_note(const std::string& name,
                                  std::string_view text) const {
  if (text.size() > note_bytes_max / 2)
    return refuse(errc::resource_exhausted, directory_ / name, "is too long");
  return write_small(directory_, name, check_line(text) + std::string(text));
}

data_dir::data_dir(std::filesystem::path directory, identity owner, int lock)
  : directory_(std::move(directory)), owner_(std::move(owner)), lock_(lock) {}

data_dir::data_dir(data_dir&& other) noexcept
  : directory_(std::move(other.directory_)), owner_(std::move(other.owner_)),
    lock_(std::exchange(other.lock_, -1)) {}

data_dir& data_dir::operator=(data_dir&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(owner_, other.owner_);
  std::swap(lock_, other.lock_);
  return *this;
}

data_dir::~data_dir() {
  if (lock_ >= 0)
    ::close(lock_);
}

} // namespace muster::storage
