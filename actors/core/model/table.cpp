#include "actors/core/model/table.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace muster {

namespace key_codec {

void append(std::string& out, std::string_view text) {
  for (const char c : text) {
    out.push_back(c);
    if (c == '\0')
      out.push_back('\xFF');
  }
  out.push_back('\0');
  out.push_back('\x01');
}

void append(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((number >> shift) & 0xFF));
}

bool take(std::string_view& in, std::string& text) {
  text.clear();
  while (!in.empty()) {
    const char c = in.front();
    in.remove_prefix(1);
    if (c != '\0') {
      text.push_back(c);
      continue;
    }
    if (in.empty())
      return false;
    const char mark = in.front();
    in.remove_prefix(1);
    if (mark == '\x01')
      return true;
    if (mark != '\xFF')
      return false;
    text.push_back('\0');
  }
  return false;
}

bool take(std::string_view& in, std::uint64_t& number) {
  if (in.size() < 8)
    return false;
  number = 0;
  for (std::size_t i = 0; i < 8; ++i)
    number = (number << 8) | static_cast<unsigned char>(in[i]);
  in.remove_prefix(8);
  return true;
}

} // namespace key_codec

std::string to_bytes(const google::protobuf::MessageLite& message) {
  namespace io = google::protobuf::io;
  std::string bytes(message.ByteSizeLong(), '\0');
  io::ArrayOutputStream array(bytes.data(), static_cast<int>(bytes.size()));
  io::CodedOutputStream out(&array);
  out.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&out);
  return bytes;
}

void scan_prefix(const state_reader& reader, table_id table,
                 std::string_view prefix, const state_reader::visitor& visit) {
  reader.scan(table, prefix, [&](std::string_view key, std::string_view value) {
    return key.starts_with(prefix) && visit(key, value);
  });
}

} // namespace muster
