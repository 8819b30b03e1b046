#include "tests/sandbox/patch.h"

#include <algorithm>

#include "tests/sandbox/api_error.h"

namespace keyturn::sandbox {
namespace {

bool is_directive(const std::string& key) { return key.starts_with("$"); }

Json without_directives(const Json& value) {
  if (value.is_object()) {
    Json out = Json::object();
    for (const auto& [key, child] : value.items()) {
      if (!is_directive(key) && !child.is_null()) out[key] = without_directives(child);
    }
    return out;
  }
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value) {
      if (!(item.is_object() && item.contains("$patch"))) out.push_back(without_directives(item));
    }
    return out;
  }
  return value;
}

// Puts the items into the order that "$setElementOrder/list" names; others keep their places at the
// end.
void reorder(Json& list, const Json& order, const std::string& key) {
  Json out = Json::array();
  const auto same = [&](const Json& item, const Json& wanted) {
    return key.empty() ? item == wanted : at(item, key) == at(wanted, key);
  };
  for (const Json& wanted : order) {
    for (const Json& item : list) {
      if (same(item, wanted)) out.push_back(item);
    }
  }
  for (const Json& item : list) {
    if (std::none_of(order.begin(), order.end(),
                     [&](const Json& wanted) { return same(item, wanted); })) {
      out.push_back(item);
    }
  }
  list = std::move(out);
}

Json merge_list(Json target, const Json& patch, const Schema* schema) {
  const std::string key = schema->merge_key;
  for (const Json& item : patch) {
    const std::string directive = text_at(item, "$patch");
    if (directive == "replace") {
      target = Json::array();
      continue;
    }
    const auto found = std::find_if(target.begin(), target.end(), [&](const Json& candidate) {
      return at(candidate, key) == at(item, key);
    });
    if (directive == "delete") {
      if (found != target.end()) target.erase(found);
    } else if (found != target.end()) {
      *found = strategic_patch(*found, item, items_of(schema));
    } else {
      target.push_back(without_directives(item));
    }
  }
  return target;
}

// Sets of plain values (finalizers): union, and "$deleteFromPrimitiveList/…" takes away.
Json merge_set(Json target, const Json& patch) {
  for (const Json& value : patch) {
    if (std::find(target.begin(), target.end(), value) == target.end()) target.push_back(value);
  }
  return target;
}

}  // namespace

Json merge_patch(Json target, const Json& patch) {
  if (!patch.is_object()) return patch;
  if (!target.is_object()) target = Json::object();
  for (const auto& [key, value] : patch.items()) {
    if (value.is_null()) {
      target.erase(key);
    } else {
      target[key] = merge_patch(target.contains(key) ? target[key] : Json(), value);
    }
  }
  return target;
}

Json json_patch(const Json& target, const Json& patch) {
  try {
    return target.patch(patch);
  } catch (const Json::parse_error& error) {
    throw bad_request(std::string("not a JSON patch: ") + error.what());
  } catch (const Json::exception&) {
    throw generic_error(422, "Invalid",
                        "the server rejected our request due to an error in our request");
  }
}

Json strategic_patch(Json target, const Json& patch, const Schema* schema) {
  if (!patch.is_object()) return patch;
  if (!target.is_object()) target = Json::object();
  if (text_at(patch, "$patch") == "replace") return without_directives(patch);
  if (text_at(patch, "$patch") == "delete") return Json::object();
  if (const Json& keep = at(patch, "$retainKeys"); keep.is_array()) {
    for (auto it = target.begin(); it != target.end();) {
      it = std::find(keep.begin(), keep.end(), it.key()) == keep.end() ? target.erase(it)
                                                                       : std::next(it);
    }
  }
  static constexpr std::string_view kTakeAway = "$deleteFromPrimitiveList/";
  static constexpr std::string_view kOrder = "$setElementOrder/";
  for (const auto& [key, value] : patch.items()) {
    if (key.starts_with(kTakeAway)) {
      Json& list = target[key.substr(kTakeAway.size())];
      if (!list.is_array()) continue;
      list.erase(std::remove_if(list.begin(), list.end(),
                                [&gone = value](const Json& v) {
                                  return std::find(gone.begin(), gone.end(), v) != gone.end();
                                }),
                 list.end());
    }
    if (is_directive(key)) continue;
    const Schema* known = field_of(schema, key);
    Json& slot = target[key];
    if (value.is_null()) {
      target.erase(key);
    } else if (value.is_object()) {
      slot = strategic_patch(slot, value, known);
    } else if (value.is_array() && slot.is_array() && known && !known->merge_key.empty()) {
      slot = merge_list(slot, value, known);
    } else if (value.is_array() && slot.is_array() && known && known->list == ListKind::Set) {
      slot = merge_set(slot, value);
    } else {
      slot = without_directives(value);
    }
  }
  for (const auto& [key, order] : patch.items()) {
    if (!key.starts_with(kOrder)) continue;
    const std::string name = key.substr(kOrder.size());
    const Schema* known = field_of(schema, name);
    if (target.contains(name) && target[name].is_array()) {
      reorder(target[name], order, known ? known->merge_key : "");
    }
  }
  return target;
}

}  // namespace keyturn::sandbox
