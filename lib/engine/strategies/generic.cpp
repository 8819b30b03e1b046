#include "lib/engine/strategies/generic.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace keyturn::engine {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFields = 16;
constexpr std::size_t kMaxPointer = 512;

Pointer pointer_option(Options& options, std::string_view name) {
  const std::string text = options.text(name, kMaxPointer).value_or("");
  auto pointer = Pointer::parse(text);
  if (pointer) return std::move(pointer).value();
  options.fail(name, pointer.error().message);
  return Pointer::of({});
}

}  // namespace

Result<SecretString> within_limit(SecretString value) {
  if (value.size() <= kMaxValueBytes) return value;
  return invalid("ValueTooLarge",
                 "the new value would have " + std::to_string(value.size()) +
                     " bytes; Secrets Manager takes at most " + std::to_string(kMaxValueBytes) +
                     ": make the generated fields or the rest of the secret smaller");
}

Result<GenericStrategy::Field> GenericStrategy::make_field(const json& json_options,
                                                           const std::string& path) {
  Options options(json_options, path);
  Field field{pointer_option(options, "pointer"), std::nullopt, Recipe(options)};
  if (field.recipe.is_key_pair()) {
    field.public_pointer = pointer_option(options, "publicPointer");
    if (field.pointer.tokens().empty()) {
      options.fail("pointer",
                   "is needed for a key pair: its two halves go into two fields of a JSON object");
    }
    if (field.public_pointer->tokens().empty()) {
      options.fail(
          "publicPointer",
          "is needed for a key pair: the field that gets the public key, such as /publicKey");
    }
  }
  if (auto done = Recipe::finish_format(options); !done) return std::move(done).error();
  return field;
}

Status GenericStrategy::check_pointers(const std::vector<Field>& fields, const std::string& path) {
  std::vector<std::pair<std::string, const Pointer*>> seen;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    if (fields[i].pointer.tokens().empty() && fields.size() > 1) {
      return invalid("InvalidStrategy", at + ".pointer: is needed where there are several fields");
    }
    seen.emplace_back(at + ".pointer", &fields[i].pointer);
    if (fields[i].public_pointer)
      seen.emplace_back(at + ".publicPointer", &*fields[i].public_pointer);
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!seen[i].second->covers(*seen[j].second) && !seen[j].second->covers(*seen[i].second))
        continue;
      return invalid("InvalidStrategy", seen[i].first + ": overlaps " + seen[j].first +
                                            "; each field can be made only once");
    }
  }
  return {};
}

GenericStrategy::GenericStrategy(std::vector<Field> fields) : fields_(std::move(fields)) {
  for (const Field& field : fields_) {
    pointers_.push_back(field.pointer);
    if (field.public_pointer) pointers_.push_back(*field.public_pointer);
  }
}

Result<std::unique_ptr<Strategy>> GenericStrategy::make(const json& json_options,
                                                        const std::string& path) {
  Options options(json_options, path);
  std::vector<Field> fields;
  if (const json* list = options.objects("fields", 1, kMaxFields)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      auto field = make_field((*list)[i], path + ".fields[" + std::to_string(i) + "]");
      if (!field) return std::move(field).error();
      fields.push_back(std::move(field).value());
    }
  }
  if (auto done = options.finish(); !done) return std::move(done).error();
  if (auto checked = check_pointers(fields, path + ".fields"); !checked)
    return std::move(checked).error();
  if (fields.empty()) return std::unique_ptr<Strategy>(new GenericStrategy(Recipe()));
  if (fields[0].pointer.tokens().empty()) {
    return std::unique_ptr<Strategy>(new GenericStrategy(std::move(fields[0].recipe)));
  }
  return std::unique_ptr<Strategy>(new GenericStrategy(std::move(fields)));
}

const Traits& GenericStrategy::traits() const {
  static const Traits kTraits{"generic", Backend::None, /*can_rollback=*/true, /*can_revoke=*/false,
                              /*soft_revoke=*/false};
  return kTraits;
}

Status GenericStrategy::recognise(const SecretString& current) const {
  if (whole_) {
    if (!Document::parse(current).is_object()) return {};
    return invalid("ObjectNeedsFields",
                   "the secret's value is a JSON object, and spec.strategy.generic would overwrite "
                   "all of it; name what to rotate in "
                   "spec.strategy.generic.fields, as in fields: [{pointer: /apiKey}]");
  }
  if (current.empty()) {
    return invalid("NoValueYet",
                   "the secret has no value yet, so the fields of spec.strategy.generic.fields are "
                   "not there; put a "
                   "JSON object that holds them (their values may be empty strings)");
  }
  const Document document = Document::parse(current);
  for (const Pointer& pointer : pointers_) {
    if (auto replaced = document.with_string(pointer, SecretString()); !replaced) {
      Error error = std::move(replaced).error();
      error.cls =
          ErrorClass::Invalid;  // a missing field too: nothing to wait for, a person must act
      return std::move(error).with_context("spec.strategy.generic.fields");
    }
  }
  return {};
}

Result<SecretString> GenericStrategy::create(const StepContext& ctx,
                                             const SecretString& current) const {
  if (auto recognised = recognise(current); !recognised) return std::move(recognised).error();
  if (whole_) {
    auto made = whole_->make(*ctx.rng);
    if (!made) return std::move(made).error();
    return within_limit(std::move(made->value));
  }
  Document document = Document::parse(current);
  for (const Field& field : fields_) {
    auto made = field.recipe.make(*ctx.rng);
    if (!made) return std::move(made).error();
    auto next = document.with_string(field.pointer, made->value);
    if (next && field.public_pointer)
      next = next->with_string(*field.public_pointer, *made->public_part);
    if (!next) return std::move(next).error();
    document = std::move(next).value();
  }
  return within_limit(std::move(document).take_text());
}

Result<SecretString> GenericStrategy::carry(const SecretString& from,
                                            const SecretString& onto) const {
  if (whole_) return from.clone();
  const Document source = Document::parse(from);
  Document document = Document::parse(onto);
  for (const Pointer& pointer : pointers_) {
    auto next = document.with_copy(pointer, source);
    if (!next) return std::move(next).error();
    document = std::move(next).value();
  }
  return within_limit(std::move(document).take_text());
}

bool GenericStrategy::same_credential(const SecretString& a, const SecretString& b) const {
  if (whole_ || a == b) return a == b;
  const Document left = Document::parse(a), right = Document::parse(b);
  return std::all_of(pointers_.begin(), pointers_.end(), [&](const Pointer& pointer) {
    const auto x = left.get(pointer), y = right.get(pointer);
    return x.ok() && y.ok() && *x == *y;
  });
}

}  // namespace keyturn::engine
