#include "actors/core/watch/pattern.hpp"

namespace muster::watch {

item_pattern::item_pattern(std::string_view text) {
  const bool front = text.starts_with('*');
  if (front)
    text.remove_prefix(1);
  const bool back = text.ends_with('*');
  if (back)
    text.remove_suffix(1);
  rest_ = text;
  if (text.find('*') != std::string_view::npos)
    form_ = form::never;
  else if (front)
    form_ = back ? form::contained : form::suffix;
  else if (back)
    form_ = form::prefix;
}

bool item_pattern::matches(std::string_view text) const {
  switch (form_) {
  case form::exact:
    return text == rest_;
  case form::prefix:
    return text.starts_with(rest_);
  case form::suffix:
    return text.ends_with(rest_);
  case form::contained:
    return text.find(rest_) != std::string_view::npos;
  case form::never:
    break;
  }
  return false;
}

} // namespace muster::watch
