#include "tests/sandbox/typed_value.h"

#include <algorithm>

namespace keyturn::sandbox {
namespace {

bool granular_object(const Json& value, const Schema* schema) {
  return value.is_object() && !(schema && schema->atomic_map);
}
bool granular_list(const Json& value, const Schema* schema) {
  return value.is_array() && schema && schema->list != ListKind::Atomic;
}

std::string element_of(const Json& item, const Schema* list) {
  return list->list == ListKind::Map ? item_element(item, list) : "v:" + item.dump();
}

const Json* find_item(const Json& list, const std::string& element, const Schema* schema) {
  for (const Json& item : list) {
    if (element_of(item, schema) == element) return &item;
  }
  return nullptr;
}

void collect_fields(const Json& value, const Schema* schema, FieldSet& node) {
  if (granular_object(value, schema)) {
    for (const auto& [name, sub] : value.items()) {
      FieldSet& child = node.child("f:" + name);
      collect_fields(sub, field_of(schema, name), child);
      const bool declared = schema && schema->declares(name);
      if (!declared || sub.is_null() || (sub.is_object() && sub.empty())) child.member = true;
    }
  } else if (granular_list(value, schema)) {
    for (const Json& item : value) {
      FieldSet& child = node.child(element_of(item, schema));
      if (schema->list == ListKind::Map) collect_fields(item, items_of(schema), child);
      child.member = true;
    }
  } else {
    node.member = true;
  }
}

// Everything of a value that came or went as a whole, containers included.
void collect_all(const Json& value, const Schema* schema, FieldSet& node) {
  node.member = true;
  if (granular_object(value, schema)) {
    for (const auto& [name, sub] : value.items()) {
      collect_all(sub, field_of(schema, name), node.child("f:" + name));
    }
  } else if (granular_list(value, schema)) {
    for (const Json& item : value) {
      FieldSet& child = node.child(element_of(item, schema));
      child.member = true;
      if (schema->list == ListKind::Map) collect_all(item, items_of(schema), child);
    }
  }
}

void compare_into(const Json& before, const Json& after, const Schema* schema, FieldSet& added,
                  FieldSet& modified, FieldSet& removed) {
  if (granular_object(before, schema) && granular_object(after, schema)) {
    for (const auto& [name, sub] : after.items()) {
      const std::string element = "f:" + name;
      const Schema* known = field_of(schema, name);
      const auto old = before.find(name);
      if (old == before.end()) {
        collect_all(sub, known, added.child(element));
      } else if (*old != sub) {
        compare_into(*old, sub, known, added.child(element), modified.child(element),
                     removed.child(element));
      }
    }
    for (const auto& [name, sub] : before.items()) {
      if (!after.contains(name))
        collect_all(sub, field_of(schema, name), removed.child("f:" + name));
    }
  } else if (granular_list(before, schema) && granular_list(after, schema)) {
    for (const Json& item : after) {
      const std::string element = element_of(item, schema);
      const Json* old = find_item(before, element, schema);
      if (!old) {
        collect_all(item, schema->list == ListKind::Map ? items_of(schema) : nullptr,
                    added.child(element));
      } else if (*old != item) {
        compare_into(*old, item, items_of(schema), added.child(element), modified.child(element),
                     removed.child(element));
      }
    }
    for (const Json& item : before) {
      const std::string element = element_of(item, schema);
      if (!find_item(after, element, schema)) {
        collect_all(item, schema->list == ListKind::Map ? items_of(schema) : nullptr,
                    removed.child(element));
      }
    }
  } else if (before != after) {
    modified.member = true;
  }
}

// Where a path element leads inside a value: a pointer to the child, or null.
Json* descend(Json& value, const std::string& element, const Schema* schema) {
  if (element[0] == 'f' && value.is_object()) {
    const auto found = value.find(element.substr(2));
    return found == value.end() ? nullptr : &*found;
  }
  if (granular_list(value, schema)) {
    for (Json& item : value) {
      if (element_of(item, schema) == element) return &item;
    }
  }
  return nullptr;
}

void erase_element(Json& value, const std::string& element, const Schema* schema) {
  if (value.is_object()) {
    value.erase(element.substr(2));
    return;
  }
  for (auto it = value.begin(); it != value.end(); ++it) {
    if (element_of(*it, schema) == element) {
      value.erase(it);
      return;
    }
  }
}

}  // namespace

std::string item_element(const Json& item, const Schema* list) {
  Json keys = Json::object();
  for (const std::string& key : list->keys) {
    if (item.is_object() && item.contains(key)) {
      keys[key] = item[key];
    } else if (const Schema* known = field_of(items_of(list), key); known && known->fallback) {
      keys[key] = *known->fallback;
    }
  }
  return "k:" + keys.dump();
}

FieldSet fields_of(const Json& value, const Schema* schema) {
  FieldSet out;
  collect_fields(value, schema, out);
  return out;
}

Comparison compare(const Json& before, const Json& after, const Schema* schema) {
  Comparison out;
  compare_into(before, after, schema, out.added, out.modified, out.removed);
  out.added.compact();
  out.modified.compact();
  out.removed.compact();
  return out;
}

Json merge_applied(const Json& live, const Json& config, const Schema* schema) {
  if (granular_object(live, schema) && granular_object(config, schema)) {
    Json out = live;
    for (const auto& [name, sub] : config.items()) {
      const auto old = live.find(name);
      out[name] = old == live.end() ? sub : merge_applied(*old, sub, field_of(schema, name));
    }
    return out;
  }
  if (granular_list(live, schema) && granular_list(config, schema)) {
    Json out = Json::array();
    for (const Json& item : live) {
      const Json* applied = find_item(config, element_of(item, schema), schema);
      out.push_back(applied ? merge_applied(item, *applied, items_of(schema)) : item);
    }
    for (const Json& item : config) {
      if (!find_item(live, element_of(item, schema), schema)) out.push_back(item);
    }
    return out;
  }
  return config;
}

void remove_released(Json& value, const FieldSet& owned_before, const FieldSet& owned_now,
                     const Schema* schema) {
  static const FieldSet kNothing;
  for (const auto& [element, before] : owned_before.children) {
    Json* child = descend(value, element, schema);
    if (!child) continue;
    const FieldSet* now = owned_now.find(element);
    // A declared field of a struct goes when nobody owns anything in it; an entry of a map only if
    // it was owned itself.
    const bool declared = element[0] == 'f' && schema && schema->declares(element.substr(2));
    if (!now && (before.member || declared)) {
      erase_element(value, element, schema);
    } else {
      const Schema* known =
          element[0] == 'f' ? field_of(schema, element.substr(2)) : items_of(schema);
      remove_released(*child, before, now ? *now : kNothing, known);
    }
  }
}

}  // namespace keyturn::sandbox
