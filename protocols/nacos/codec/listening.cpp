#include "protocols/nacos/codec/listening.hpp"

#include <array>
#include <unordered_map>

#include "actors/core/model/keys.hpp"
#include "protocols/common/params.hpp"
#include "protocols/nacos/codec/names.hpp"

namespace muster::nacos {

namespace {

constexpr char item_end = '\1';
constexpr char word_end = '\2';

std::unexpected<error> wrong() {
  return fail(errc::invalid_argument, "invalid probeModify");
}

/// Splits one item; false unless it has 3 or 4 words.
bool read_item(std::string_view item, listened& out) {
  std::array<std::string_view, 4> words;
  std::size_t count = 0;
  while (true) {
    const auto end = item.find(word_end);
    if (count == words.size())
      return false;
    words[count++] = item.substr(0, end);
    if (end == std::string_view::npos)
      break;
    item.remove_prefix(end + 1);
  }
  out = {words[0], words[1], words[2], words[3]};
  return count >= 3;
}

} // namespace

result<std::vector<listened>> parse_listening(std::string_view text) {
  // The separators are control characters: a text of nothing but them is blank
  // to Java's trim, but not to its isBlank.
  if (text.find_first_not_of(' ') == std::string_view::npos)
    return wrong();
  std::vector<listened> items;
  std::unordered_map<key_view, std::size_t, key_hash, key_equal> places;
  std::size_t count = 0;
  for (auto end = text.find(item_end); end != std::string_view::npos;
       end = text.find(item_end)) {
    listened item;
    if (++count > listened_max || !read_item(text.substr(0, end), item))
      return wrong();
    text.remove_prefix(end + 1);
    const key_view key{space_or_public(item.tenant), item.group, item.data_id};
    const auto [place, fresh] = places.try_emplace(key, items.size());
    if (fresh)
      items.push_back(item);
    else
      items[place->second] = item;
  }
  return items;
}

std::string encode_changed(std::span<const listened> changed) {
  std::string plain;
  for (const auto& item : changed) {
    plain += item.data_id;
    plain += word_end;
    plain += item.group;
    if (!blank(item.tenant)) {
      plain += word_end;
      plain += item.tenant;
    }
    plain += item_end;
  }
  return common::url_encode(plain);
}

std::string plain_changed(std::span<const listened> changed) {
  std::string text;
  for (const auto& item : changed) {
    text += item.data_id;
    text += ':';
    text += item.group;
    text += ';';
  }
  return text;
}

} // namespace muster::nacos
