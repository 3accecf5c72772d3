#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <google/protobuf/message_lite.h>

#include "actors/core/model/state_view.hpp"

/// Tables declared once: key codec, protobuf value, secondary indexes.
namespace muster {

/// Order-preserving encoding of key tuples: comparing encoded bytes equals
/// comparing the tuples. Texts are escaped (0x00 -> 0x00 0xFF) and closed by
/// 0x00 0x01, numbers are 8 bytes big endian; so a tuple's encoding is a prefix
/// of those that extend it. Source: the tuple layer of FoundationDB, its facts.
namespace key_codec {

void append(std::string& out, std::string_view text);
void append(std::string& out, std::uint64_t number);

template <class... Parts>
std::string encode(const Parts&... parts) {
  std::string out;
  (append(out, parts), ...);
  return out;
}

/// Take one part off the front of `in`; false if `in` is not well formed.
bool take(std::string_view& in, std::string& text);
bool take(std::string_view& in, std::uint64_t& number);

/// Whether all of `in` is exactly these parts.
template <class... Parts>
bool decode(std::string_view in, Parts&... parts) {
  return (take(in, parts) && ...) && in.empty();
}

} // namespace key_codec

/// The one byte form of a message: fields in order, maps sorted by key, so that
/// equal messages are equal bytes on every replica.
std::string to_bytes(const google::protobuf::MessageLite& message);

/// A table of protobuf values. `Value` is a generated message.
///
/// Stateless; all members may be called from the thread that owns the reader.
template <table_id Id, class Value>
struct table {
  static constexpr table_id id = Id;
  using value_type = Value;

  static std::optional<Value> get(const state_reader& r, std::string_view key) {
    auto raw = r.get(Id, key);
    if (!raw)
      return std::nullopt;
    return parse(*raw);
  }

  static void put(state_writer& w, std::string_view key, const Value& value) {
    w.put(Id, key, to_bytes(value));
  }

  static void erase(state_writer& w, std::string_view key) { w.erase(Id, key); }

  /// A stored value that does not parse is corrupt, not absent.
  static Value parse(std::string_view raw) {
    Value value;
    if (!value.ParseFromArray(raw.data(), static_cast<int>(raw.size())))
      throw state_error{{errc::data_loss, "record does not parse"}};
    return value;
  }
};

} // namespace muster
