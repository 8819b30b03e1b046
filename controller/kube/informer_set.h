// One collection over all namespaces, or over a list of them: an Informer each, read as one.
// Thread rule: as Informer.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/kube/informer.h"

namespace keyturn::kube {

template <class T>
class InformerSet {
 public:
  using Ptr = typename Informer<T>::Ptr;

  // `namespaces` empty: one watch over all of them.
  InformerSet(ReflectorOptions options, std::vector<std::string> namespaces,
              typename Informer<T>::Decode decode, typename Informer<T>::OnChange on_change) {
    if (namespaces.empty()) namespaces.emplace_back();
    for (auto& ns : namespaces) {
      options.ns = ns;
      parts_.push_back({std::move(ns), std::make_unique<Informer<T>>(options, decode, on_change)});
    }
  }

  Status start() {
    for (auto& part : parts_) {
      if (auto started = part.informer->start(); !started) return started;
    }
    return {};
  }
  void stop() {
    for (auto& part : parts_) part.informer->stop();
  }
  bool synced() const {
    return std::all_of(parts_.begin(), parts_.end(),
                       [](const Part& part) { return part.informer->synced(); });
  }

  Ptr get(const std::string& key) const {
    for (const auto& part : parts_) {
      const bool holds =
          part.ns.empty() ||
          (key.size() > part.ns.size() && key.starts_with(part.ns) && key[part.ns.size()] == '/');
      if (holds) return part.informer->get(key);
    }
    return nullptr;
  }
  std::size_t size() const {
    std::size_t sum = 0;
    for (const auto& part : parts_) sum += part.informer->size();
    return sum;
  }
  void for_each(const std::function<void(const std::string& key, const Ptr& object)>& visit) const {
    for (const auto& part : parts_) part.informer->for_each(visit);
  }

 private:
  struct Part {
    std::string ns;
    std::unique_ptr<Informer<T>> informer;
  };
  std::vector<Part> parts_;
};

}  // namespace keyturn::kube
