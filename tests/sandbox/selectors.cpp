#include "tests/sandbox/selectors.h"

#include <algorithm>

#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/kind_rules.h"

namespace keyturn::sandbox {
namespace {

// Splits at commas that are not inside parentheses.
std::vector<std::string> split_terms(std::string_view text) {
  std::vector<std::string> out;
  int depth = 0;
  std::string term;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      out.push_back(std::string(trim(term)));
      term.clear();
    } else {
      term += c;
    }
  }
  out.push_back(std::string(trim(term)));
  return out;
}

}  // namespace

LabelSelector LabelSelector::parse(std::string_view text) {
  LabelSelector out;
  if (trim(text).empty()) return out;
  for (const std::string& term : split_terms(text)) {
    const auto fail = [&] {
      return bad_request("unable to parse requirement: " + printable(term));
    };
    if (term.empty()) throw fail();
    if (const std::size_t open = term.find('('); open != std::string::npos) {
      if (term.back() != ')') throw fail();
      const std::vector<std::string> words = split(std::string(trim(term.substr(0, open))), ' ');
      if (words.size() < 2 || (words.back() != "in" && words.back() != "notin")) throw fail();
      Term parsed{words.front(), words.back() == "in" ? Op::In : Op::NotIn, {}};
      for (const std::string& value : split(term.substr(open + 1, term.size() - open - 2), ',')) {
        parsed.values.push_back(std::string(trim(value)));
      }
      out.terms_.push_back(std::move(parsed));
    } else if (const std::size_t equals = term.find('='); equals != std::string::npos) {
      const bool negative = equals > 0 && term[equals - 1] == '!';
      const std::size_t value =
          equals + (equals + 1 < term.size() && term[equals + 1] == '=' ? 2 : 1);
      out.terms_.push_back({std::string(trim(term.substr(0, equals - (negative ? 1 : 0)))),
                            negative ? Op::NotIn : Op::In,
                            {std::string(trim(term.substr(value)))}});
    } else if (term.front() == '!') {
      out.terms_.push_back({std::string(trim(term.substr(1))), Op::Absent, {}});
    } else {
      out.terms_.push_back({term, Op::Exists, {}});
    }
    const Term& last = out.terms_.back();
    if (!is_label_key(last.key) ||
        !std::all_of(last.values.begin(), last.values.end(), is_label_value))
      throw fail();
  }
  return out;
}

bool LabelSelector::matches(const Json& doc) const {
  if (terms_.empty()) return true;
  const Json& labels = at(doc, "metadata", "labels");
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const Json& value = at(labels, term.key);
    const bool has = value.is_string();
    const bool listed = has && std::find(term.values.begin(), term.values.end(),
                                         value.get_ref<const std::string&>()) != term.values.end();
    switch (term.op) {
      case Op::In:
        return listed;
      case Op::NotIn:
        return !listed;
      case Op::Exists:
        return has;
      case Op::Absent:
        return !has;
    }
    return false;
  });
}

FieldSelector FieldSelector::parse(std::string_view text) {
  FieldSelector out;
  if (trim(text).empty()) return out;
  for (const std::string& term : split_terms(text)) {
    const std::size_t equals = term.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw bad_request("invalid selector: '" + printable(term) + "'; can't understand '" +
                        printable(term) + "'");
    }
    const bool negative = term[equals - 1] == '!';
    const std::size_t value =
        equals + (equals + 1 < term.size() && term[equals + 1] == '=' ? 2 : 1);
    out.terms_.push_back(
        {term.substr(0, equals - (negative ? 1 : 0)), !negative, term.substr(value)});
  }
  return out;
}

bool FieldSelector::matches(const Json& doc) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const Json* here = &doc;
    for (const std::string& key : split(term.path, '.')) here = &at(*here, key);
    const std::string value = here->is_string() ? here->get<std::string>()
                              : here->is_null() ? std::string()
                                                : here->dump();
    return (value == term.value) == term.equal;
  });
}

std::vector<std::string> FieldSelector::paths() const {
  std::vector<std::string> out;
  for (const Term& term : terms_) out.push_back(term.path);
  return out;
}

}  // namespace keyturn::sandbox
