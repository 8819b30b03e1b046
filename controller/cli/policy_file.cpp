#include "controller/cli/policy_file.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "controller/rotation/yaml_documents.h"

namespace keyturn::cli {

Result<std::string> read_text(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream in(file, std::ios::binary);
  if (!in) return make_error(ErrorClass::NotFound, "NoSuchFile", "cannot read " + file);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Result<rotation::Policy> policy_from_file(const std::string& file) {
  auto text = read_text(file);
  if (!text) return std::move(text).error();
  auto documents = rotation::yaml_documents(*text, file);
  if (!documents) return std::move(documents).error();
  const nlohmann::json* found = nullptr;
  for (const auto& document : *documents) {
    if (!document.is_object() || document.value("kind", std::string()) != "RotationPolicy")
      continue;
    if (found != nullptr)
      return invalid("SeveralPolicies", file + " holds several RotationPolicies; give one");
    found = &document;
  }
  if (found == nullptr) return invalid("NoPolicy", file + " holds no RotationPolicy");
  auto policy = rotation::parse_policy(*found);
  if (!policy) return std::move(policy).error().with_context(file);
  if (policy->invalid) return policy->invalid->with_context(file);
  return policy;
}

}  // namespace keyturn::cli
