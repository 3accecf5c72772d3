#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "actors/node/settings/source.hpp"

namespace muster::source {
namespace {

constexpr std::uintmax_t file_bytes_max = 4 * 1024 * 1024;

result<std::string> read_text(const std::string& path) {
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed))
    return fail(errc::invalid_argument, path + ": is a directory");
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail(errc::invalid_argument,
                path + ": cannot be read: " + std::strerror(errno));
  const auto bytes = std::filesystem::file_size(path, failed);
  if (!failed && bytes > file_bytes_max)
    return fail(errc::invalid_argument, path + ": larger than 4 MiB");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

} // namespace

result<entries> read_file(const std::string& path) {
  auto text = read_text(path);
  if (!text)
    return std::unexpected(text.error());
  std::string_view content = *text;
  if (content.starts_with("\xEF\xBB\xBF")) // a byte order mark
    content.remove_prefix(3);
  return path.ends_with(".properties") ? parse_properties(content, path)
                                       : parse_yaml(content, path);
}

} // namespace muster::source
