#include "protocols/nacos/grpc/payload.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "protocols/nacos/codec/names.hpp"

namespace muster::nacos::remote {

namespace {

// Wire types of protobuf; 3 and 4 (groups) are not used by any proto3 message.
enum wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

constexpr std::uint32_t payload_metadata = 2;
constexpr std::uint32_t payload_body = 3;
constexpr std::uint32_t metadata_type = 3;
constexpr std::uint32_t metadata_headers = 7;
constexpr std::uint32_t metadata_client_ip = 8;
constexpr std::uint32_t any_value = 2;
constexpr std::uint32_t entry_key = 1;
constexpr std::uint32_t entry_value = 2;

/// Reads one message field by field.
class field_reader {
public:
  explicit field_reader(std::string_view in) : in_(in) {}

  /// False at the end or at a fault.
  bool next() {
    std::uint64_t tag = 0;
    if (!good_ || in_.empty() || !take_varint(tag))
      return false;
    number_ = static_cast<std::uint32_t>(tag >> 3U);
    kind_ = static_cast<wire>(tag & 7U);
    value_ = {};
    good_ = number_ != 0 && tag >> 3U <= 0x1FFFFFFF && take_value();
    return good_;
  }
  std::uint32_t number() const { return number_; }
  /// The field's bytes; a fault if it is of another wire type.
  std::string_view text() {
    good_ = good_ && kind_ == bytes;
    return value_;
  }
  bool good() const { return good_; }

private:
  bool take_value() {
    std::uint64_t length = 0;
    switch (kind_) {
      case varint: return take_varint(length);
      case fixed64: return take(8);
      case fixed32: return take(4);
      case bytes: return take_varint(length) && take(length);
      default: return false;
    }
  }
  bool take(std::uint64_t length) {
    if (length > in_.size())
      return false;
    value_ = in_.substr(0, length);
    in_.remove_prefix(length);
    return true;
  }
  bool take_varint(std::uint64_t& out) {
    out = 0;
    for (unsigned shift = 0; shift < 64 && !in_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(in_.front());
      in_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80)
        return true;
    }
    good_ = false;
    return false;
  }

  std::string_view in_;
  std::string_view value_;
  std::uint32_t number_ = 0;
  wire kind_ = varint;
  bool good_ = true;
};

struct header_entry {
  std::string_view key;
  std::string_view value;
};

std::optional<header_entry> parse_header(std::string_view in) {
  header_entry entry;
  field_reader fields(in);
  while (fields.next()) {
    if (fields.number() == entry_key)
      entry.key = fields.text();
    else if (fields.number() == entry_value)
      entry.value = fields.text();
  }
  return fields.good() ? std::optional(entry) : std::nullopt;
}

bool parse_metadata(std::string_view in, envelope& into) {
  field_reader fields(in);
  auto good = true;
  while (good && fields.next()) {
    if (fields.number() == metadata_type)
      into.type = fields.text();
    else if (fields.number() == metadata_client_ip)
      into.client_ip = fields.text();
    else if (fields.number() == metadata_headers)
      good = parse_header(fields.text()).has_value();
  }
  into.metadata = in;
  return good && fields.good();
}

bool parse_any(std::string_view in, envelope& into) {
  field_reader fields(in);
  while (fields.next())
    if (fields.number() == any_value)
      into.body = fields.text();
  return fields.good();
}

std::size_t varint_size(std::size_t value) {
  std::size_t n = 1;
  for (; value >= 0x80; value >>= 7U)
    ++n;
  return n;
}

/// Writes into memory whose size was computed before.
class writer {
public:
  explicit writer(char* to) : to_(to) {}
  writer& raw(std::string_view text) {
    to_ = std::copy(text.begin(), text.end(), to_);
    return *this;
  }
  /// Tag and length of a field of `length` bytes.
  writer& head(std::uint32_t number, std::size_t length) {
    *to_++ = static_cast<char>(number << 3U | bytes);
    for (; length >= 0x80; length >>= 7U)
      *to_++ = static_cast<char>((length & 0x7FU) | 0x80U);
    *to_++ = static_cast<char>(length);
    return *this;
  }

private:
  char* to_;
};

/// Sizes of an envelope whose body has `body` bytes. All field numbers are
/// below 16, so every tag is one byte.
struct plan {
  plan(std::string_view type, std::string_view client_ip, std::size_t body_size)
    : body(body_size),
      metadata(field(type.size())
               + (client_ip.empty() ? 0 : field(client_ip.size()))),
      any(field(body_size)), head(field(metadata) + field(any) - body_size) {
    // nop
  }
  static std::size_t field(std::size_t length) {
    return 1 + varint_size(length) + length;
  }
  void write_head(writer& out, std::string_view type,
                  std::string_view client_ip) const {
    out.head(payload_metadata, metadata).head(metadata_type, type.size());
    out.raw(type);
    if (!client_ip.empty())
      out.head(metadata_client_ip, client_ip.size()).raw(client_ip);
    out.head(payload_body, any).head(any_value, body);
  }

  std::size_t body;
  std::size_t metadata;
  std::size_t any;
  std::size_t head; ///< all bytes before the body's text
};

::grpc::Slice share_slice(std::shared_ptr<const std::string> text) {
  using holder = std::shared_ptr<const std::string>;
  auto kept = std::make_unique<holder>(std::move(text));
  auto* start = const_cast<char*>((*kept)->data());
  const auto size = (*kept)->size();
  return {start, size, [](void* p) { delete static_cast<holder*>(p); },
          kept.release()};
}

char* start_of(const ::grpc::Slice& slice) {
  return reinterpret_cast<char*>(const_cast<std::uint8_t*>(slice.begin()));
}

} // namespace

std::string_view envelope::header(std::string_view name) const {
  std::string_view found;
  field_reader fields(metadata);
  while (fields.next()) {
    if (fields.number() != metadata_headers)
      continue;
    const auto entry = parse_header(fields.text());
    if (entry && same_letters(entry->key, name))
      found = entry->value;
  }
  return found;
}

result<envelope> parse_envelope(std::string_view in) {
  envelope out;
  field_reader fields(in);
  auto good = true;
  while (good && fields.next()) {
    if (fields.number() == payload_metadata)
      good = parse_metadata(fields.text(), out);
    else if (fields.number() == payload_body)
      good = parse_any(fields.text(), out);
  }
  if (!good || !fields.good())
    return fail(errc::invalid_argument, "not a Payload message");
  return out;
}

message_bytes::message_bytes(const ::grpc::ByteBuffer& buffer) {
  // One piece is shared, several are joined.
  if (buffer.Valid() && !buffer.TrySingleSlice(&slice_).ok())
    static_cast<void>(buffer.DumpToSingleSlice(&slice_).ok());
}

std::string encode_envelope(std::string_view type, std::string_view body,
                            std::string_view client_ip) {
  const plan sizes(type, client_ip, body.size());
  std::string out(sizes.head + body.size(), '\0');
  writer to(out.data());
  sizes.write_head(to, type, client_ip);
  to.raw(body);
  return out;
}

::grpc::ByteBuffer make_payload(std::string_view type, std::string_view body,
                                std::string_view client_ip) {
  const plan sizes(type, client_ip, body.size());
  const ::grpc::Slice slice(sizes.head + body.size());
  writer to(start_of(slice));
  sizes.write_head(to, type, client_ip);
  to.raw(body);
  return {&slice, 1};
}

::grpc::ByteBuffer make_payload(std::string_view type, std::string_view before,
                                std::shared_ptr<const std::string> shared,
                                std::string_view after,
                                std::string_view client_ip) {
  const plan sizes(type, client_ip,
                   before.size() + shared->size() + after.size());
  const ::grpc::Slice head(sizes.head + before.size());
  writer to(start_of(head));
  sizes.write_head(to, type, client_ip);
  to.raw(before);
  const std::array<::grpc::Slice, 3> parts{
    head, share_slice(std::move(shared)),
    ::grpc::Slice(after.data(), after.size())};
  return {parts.data(), parts.size()};
}

::grpc::ByteBuffer share(std::shared_ptr<const std::string> bytes) {
  const auto slice = share_slice(std::move(bytes));
  return {&slice, 1};
}

} // namespace muster::nacos::remote
