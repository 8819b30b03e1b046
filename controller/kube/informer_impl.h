// Bodies of Informer<T>; included by informer.h only.
#pragma once

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "lib/base/log.h"

namespace keyturn::kube {

template <class T>
Informer<T>::Informer(ReflectorOptions options, Decode decode, OnChange on_change)
    : decode_(std::move(decode)),
      on_change_(std::move(on_change)),
      resource_(options.type.plural),
      reflector_(std::move(options), *this) {}

template <class T>
auto Informer<T>::get(const std::string& key) const -> Ptr {
  const std::lock_guard<std::mutex> guard(mutex_);
  const auto it = objects_.find(key);
  return it == objects_.end() ? nullptr : it->second;
}

template <class T>
std::size_t Informer<T>::size() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return objects_.size();
}

template <class T>
std::vector<std::string> Informer<T>::keys() const {
  std::vector<std::string> keys;
  const std::lock_guard<std::mutex> guard(mutex_);
  keys.reserve(objects_.size());
  for (const auto& [key, object] : objects_) keys.push_back(key);
  return keys;
}

template <class T>
void Informer<T>::for_each(
    const std::function<void(const std::string& key, const Ptr& object)>& visit) const {
  const std::lock_guard<std::mutex> guard(mutex_);
  for (const auto& [key, object] : objects_) visit(key, object);
}

template <class T>
void Informer<T>::put(const std::string& key, const std::string& resource_version,
                      const nlohmann::json& object) {
  if (!resource_version.empty()) {
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto it = objects_.find(key);
    if (it != objects_.end() && it->second->resource_version == resource_version) return;
  }
  std::optional<Result<T>> decoded;
  try {
    decoded.emplace(decode_(object));
  } catch (const std::exception& e) {
    decoded.emplace(invalid("DecodeFailed", e.what()));
  }
  if (!decoded->ok()) {
    const auto [it, first] = rejected_.try_emplace(key);
    if (first || it->second != resource_version) {
      it->second = resource_version;
      log::error(
          "object ignored: it cannot be read",
          {{"resource", resource_}, {"object", key}, {"error", decoded->error().describe()}});
    }
    forget(key);
    return;
  }
  rejected_.erase(key);
  Ptr after = std::make_shared<const T>(std::move(*decoded).value());
  Ptr before;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    before = std::exchange(objects_[key], after);
  }
  if (on_change_) on_change_(key, before, after);
}

template <class T>
void Informer<T>::remove(const std::string& key) {
  rejected_.erase(key);
  forget(key);
}

template <class T>
void Informer<T>::forget(const std::string& key) {
  Ptr before;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto it = objects_.find(key);
    if (it == objects_.end()) return;
    before = std::move(it->second);
    objects_.erase(it);
  }
  if (on_change_) on_change_(key, before, nullptr);
}

template <class T>
void Informer<T>::keep_only(const std::vector<std::string>& sorted_keys) {
  const auto gone = [&](const std::string& key) {
    return !std::binary_search(sorted_keys.begin(), sorted_keys.end(), key);
  };
  std::vector<std::string> removed;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    for (const auto& [key, object] : objects_) {
      if (gone(key)) removed.push_back(key);
    }
  }
  for (const std::string& key : removed) forget(key);
  std::erase_if(rejected_, [&](const auto& entry) { return gone(entry.first); });
}

}  // namespace keyturn::kube
