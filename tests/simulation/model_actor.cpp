#include "tests/simulation/model_actor.h"

#include <cstdlib>
#include <cstring>

#include "tests/simulation/backends.h"
#include "tests/simulation/model_careless.h"
#include "tests/simulation/model_influx.h"
#include "tests/testing/fake_clock.h"

namespace keyturn::simulation::model {

using engine::Action;
using engine::Decision;
using engine::Situation;
using engine::StepResult;
using engine::Verdict;
using engine::View;

namespace {

const std::string kArn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:model-AbCdEf";
constexpr int kTurns = 40;

Cred token_number(std::string_view credential) {
  return static_cast<Cred>(std::atoi(std::string(credential.substr(1)).c_str()));
}
std::string token_name(Cred token) { return "t" + std::to_string(token); }

char label_letter(const std::string& stage) {
  if (stage == engine::kCurrent) return 'C';
  if (stage == engine::kPending) return 'P';
  return stage == engine::kLatest ? 'L' : 'K';
}

struct Asks {
  Request request;
};

Error lost_race() {
  return make_error(ErrorClass::Conflict, "InvalidParameterException", "the label is elsewhere");
}

class NoRng final : public Rng {
 public:
  void fill(std::span<std::byte> out) override { std::fill(out.begin(), out.end(), std::byte{0}); }
};

}  // namespace

std::string to_string(const Request& r) {
  static const char* const kNames[] = {"looks",
                                       "reads",
                                       "puts",
                                       "moves",
                                       "mints for",
                                       "revokes",
                                       "tests",
                                       "lists",
                                       "chooses",
                                       "changes",
                                       "waits for quiet",
                                       "syncs",
                                       "rolls out",
                                       "notes that it works",
                                       "looks at",
                                       "switches",
                                       "writes the list of",
                                       "ends"};
  std::string text = kNames[static_cast<int>(r.kind)];
  if (r.kind == Request::Kind::Update) {
    return text + " " + r.label + " " + version_name(r.version).substr(0, 18) + " -> " +
           version_name(r.to).substr(0, 18);
  }
  if (r.kind == Request::Kind::Change)
    return text + " " + token_name(r.token) + " -> " + token_name(r.other_token);
  if (r.kind == Request::Kind::Replace && r.other_token != 0)
    text += " " + token_name(r.other_token) + " and";
  if (r.kind == Request::Kind::Switch) text += (r.others & 1) != 0 ? " on" : " off";
  if (r.version != 0) text += " " + version_name(r.version).substr(0, 18);
  if (r.token != 0) text += " " + token_name(r.token);
  return text;
}

// One pass over recorded replies.
class Tree::Run final : public aws::SecretsManager,
                        public Tokens,
                        public Passwords,
                        public PasswordList,
                        public engine::Memory {
 public:
  Run(Kind kind, const Rules& rules, std::vector<const std::string*> replies)
      : kind_(kind), rules_(rules), replies_(std::move(replies)) {
    std::unique_ptr<engine::Strategy> real;
    const MintingOptions options{.checks_mark = rules.only_minted,
                                 .asks_confirm = rules.confirm,
                                 .lists_leftovers = rules.leftovers};
    if (kind == Kind::Minting) real = make_minting(*this, options);
    if (kind == Kind::ForwardOnly) real = make_forward_only(*this);
    if (kind == Kind::None) real = make_none();
    if (kind == Kind::List) real = make_list(*this, rules.confirm);
    if (kind == Kind::Influx)
      real = make_influx_strategy(
          kArn, *this, clock_, [this](const Request& r) -> const std::string& { return ask(r); });
    strategy_ =
        std::make_unique<Careless>(std::move(real), rules, kind == Kind::None ? this : nullptr);
  }

  Request next() {
    try {
      pass();
      return stamped({.kind = Request::Kind::End, .cleaned_up = cleaned_up_});
    } catch (const Asks& asks) {
      return asks.request;
    }
  }
  const Seen& seen() const { return seen_; }
  bool quiet() const { return quiet_; }

  Result<aws::SecretMetadata> describe(const std::string& id) override {
    if (id == kAdminArn) {
      aws::SecretMetadata admin;
      admin.arn = kAdminArn;
      admin.name = "admin";
      return admin;
    }
    const std::string& reply = ask({.kind = Request::Kind::Describe});
    const Seen before = seen_;
    std::memcpy(&seen_, reply.data(), sizeof(Seen));
    quiet_ = seen_.quiet != 0 || (quiet_ && seen_.same_labels_and_gate(before));
    aws::SecretMetadata m;
    m.arn = kArn;
    m.name = "model";
    const auto label = [&](Ver v, std::string_view name) {
      if (v != 0) m.stages[version_name(v)].insert(std::string(name));
    };
    label(seen_.current, engine::kCurrent);
    label(seen_.previous, engine::kPrevious);
    label(seen_.pending, engine::kPending);
    label(seen_.latest, engine::kLatest);
    label(seen_.baton, engine::kBaton);
    return m;
  }
  Result<aws::SecretValue> get_value(const std::string& secret, const std::string& id,
                                     const std::string&) override {
    if (secret == kAdminArn) {
      aws::SecretValue admin;
      admin.value = SecretString(kAdminValue);
      return admin;
    }
    const std::string& reply = ask({.kind = Request::Kind::Read, .version = version_number(id)});
    if (reply[0] == 0)
      return make_error(ErrorClass::NotFound, "ResourceNotFoundException", "no such version");
    aws::SecretValue v;
    v.version_id = id;
    v.value = SecretString(
        kind_ == Kind::Influx
            ? influx_value(static_cast<Cred>(reply[0]), static_cast<std::uint8_t>(reply[1]))
            : make_value(token_name(static_cast<Cred>(reply[0])), std::to_string(reply[1])));
    return v;
  }
  Status put_value(const aws::PutSecretValueRequest& r) override {
    const ReadValue value = read_value(std::string(r.value.reveal()));
    const std::string& reply = ask({.kind = Request::Kind::Put,
                                    .version = version_number(r.client_request_token),
                                    .token = value.token,
                                    .others = value.others,
                                    .baton = r.stages.contains(std::string(engine::kBaton))});
    if (reply[0] == 0)
      return make_error(ErrorClass::Conflict, "ResourceExistsException", "the id is taken");
    quiet_ = false;  // our own change, too, is a change
    return {};
  }
  Status rotate_secret(const aws::RotateSecretRequest&) override {
    return invalid("NotDelegated", "no kind of the exploration hands over");
  }
  Status update_stage(const aws::UpdateStageRequest& r) override {
    const std::string& reply = ask({.kind = Request::Kind::Update,
                                    .label = label_letter(r.stage),
                                    .version = version_number(r.remove_from),
                                    .to = version_number(r.move_to)});
    if (reply[0] == 0) return lost_race();
    quiet_ = false;
    return {};
  }
  Result<std::vector<aws::VersionInfo>> list_versions(const std::string&, bool) override {
    return std::vector<aws::VersionInfo>();
  }
  Result<aws::ListSecretsPage> list(const aws::ListSecretsRequest&) override {
    return aws::ListSecretsPage();
  }

  Result<std::string> mint(const std::string&, const std::string& version) override {
    return token_name(static_cast<Cred>(
        ask({.kind = Request::Kind::Mint, .version = version_number(version)})[0]));
  }
  Status revoke(const std::string& token) override {
    (void)ask({.kind = Request::Kind::Revoke, .token = token_number(token)});
    return {};
  }
  Status set_active(const std::string&, bool) override { return {}; }
  engine::TestResult login(const std::string& token) override {
    switch (ask({.kind = Request::Kind::Login, .token = token_number(token)})[0]) {
      case 0:
        return {.verdict = Verdict::Rejected};
      case 1:
        return {.verdict = Verdict::Accepted};
      default:
        return {.verdict = Verdict::Unknown};
    }
  }
  Result<std::map<std::string, Tokens::Token>> list(const std::string& arn) override {
    const std::string& reply = ask({.kind = Request::Kind::List});
    std::map<std::string, Tokens::Token> found;
    for (std::size_t i = 0; i < reply.size(); i += 4) {
      Ver mark;
      std::memcpy(&mark, reply.data() + i + 1, sizeof(Ver));
      const bool busy =
          reply[i + 3] != 0;  // somebody is still at work with it: younger than an hour
      found[token_name(static_cast<Cred>(reply[i]))] = {
          .arn = arn,
          .version_id = version_name(mark),
          .created = busy ? clock_.now() : WallTime()};
    }
    return found;
  }
  std::string choose(Rng&) override {
    return token_name(static_cast<Cred>(ask({.kind = Request::Kind::Choose})[0]));
  }
  Status change(const std::string& from, const std::string& to) override {
    const std::string& reply = ask({.kind = Request::Kind::Change,
                                    .token = token_number(from),
                                    .other_token = token_number(to)});
    if (reply[0] == 0) return make_error(ErrorClass::Denied, "Unauthorized", "not let in");
    return {};
  }

  Status replace(const std::vector<std::string>& passwords) override {
    (void)ask({.kind = Request::Kind::Replace,
               .token = token_number(passwords.front()),
               .other_token = passwords.size() < 2 ? Cred{0} : token_number(passwords[1])});
    return {};
  }

  // Quiet is a matter of the world: what other leaders planned from an older view has landed or
  // expired.
  MonoTime unchanged_since(const std::string&, const std::string&, MonoTime now) override {
    const bool yes = !rules_.quiet || (releasing_ && !rules_.quiet_before_release) || quiet_ ||
                     ask({.kind = Request::Kind::Quiet})[0] != 0;
    return yes ? now - Duration(3'600'000) : now;
  }

 private:
  ReadValue read_value(const std::string& value) const {
    if (kind_ == Kind::Influx) return read_influx_value(value);
    return {token_number(credential_of(value)),
            static_cast<std::uint8_t>(std::atoi(others_of(value).c_str()))};
  }

  Request stamped(Request r) const {
    r.rows = rows_;
    return r;
  }

  const std::string& ask(const Request& request) {
    if (at_ == replies_.size()) throw Asks{stamped(request)};
    return *replies_[at_++];
  }

  Situation judge(const View& view) {
    Situation s;
    s.retire = true;
    s.clean_up = seen_.clean_up != 0 && !cleaned_up_;
    const auto seen_current = [this, &view] {
      return seen_.current == version_number(view.labels.current);
    };
    s.targets_synced = !rules_.gate || (seen_current() && seen_.synced != 0);
    s.rolled_out = !rules_.gate || (seen_current() && seen_.rolled_out != 0);
    s.gate_open = s.targets_synced && s.rolled_out;
    s.gate_still_open = [this, seen_current] {
      return !rules_.gate || (seen_current() && seen_.synced != 0 && seen_.rolled_out != 0);
    };
    const bool as_looked = seen_.current == version_number(view.labels.current) &&
                           seen_.latest == version_number(view.labels.latest);
    if (as_looked && (seen_.due != 0 || seen_.rollback != 0)) s.permit = engine::next_version(view);
    s.rollback = seen_.rollback != 0;
    return s;
  }
  // Takes the rule away that the exploration is to miss.
  void spoil(const View& view, const Situation& s, Decision& d) const {
    const engine::Labels& l = view.labels;
    if (!rules_.equal_first && d.row == 9 && !s.gate_open) {
      d.action = s.targets_synced ? Action::Rollout : Action::Sync;
      d.version_id = l.current;
    }
    if (!rules_.quiet_before_rollback && d.action == Action::SetAndTest) d.quiet = false;
    const bool pending_last = kind_ == Kind::ForwardOnly || kind_ == Kind::List;
    if (!rules_.pending_first && !pending_last && two_credentials(kind_) &&
        d.action == Action::DropPending && d.row == 3)
      d.action = Action::RetestAndMove;
    if (!rules_.pending_first && pending_last && d.action == Action::RetestAndMove &&
        l.pending == l.latest) {
      d.action = Action::DropPending;
    }
    if (!rules_.was_current && d.action == Action::DropPending && d.row == 6 &&
        two_credentials(kind_)) {
      d.action = Action::Abandon;
      d.quiet = true;
    }
    if (!rules_.chained_ids && (d.action == Action::Create || d.action == Action::CarryBack)) {
      d.version_id = engine::successor_id(kArn, l.current, "");
    }
    if (!rules_.base) without_base(l, d);
    if (!rules_.asks_backend && d.action == Action::Rebase) without_asking(l, d);
  }
  void without_base(const engine::Labels& l, Decision& d) const {
    if (d.action == Action::GiveUp && l.pending == l.baton) d.action = Action::SetAndTest;
    if (d.row == 4 && !l.latest.empty() && l.latest != l.current && l.latest != l.previous) {
      d.action = l.pending == l.latest ? Action::DropPending : Action::RetestAndMove;
      d.version_id = l.latest;
    }
    if (kind_ == Kind::None && d.action == Action::DropPending && d.row == 6)
      d.action = Action::MoveCurrent;
  }
  static void without_asking(const engine::Labels& l, Decision& d) {
    const bool drops_pending = d.row == 6 && l.pending == l.latest;
    d.action = d.row == 1      ? Action::GiveUp
               : drops_pending ? Action::DropPending
                               : Action::DropBaton;
    d.version_id = drops_pending ? l.pending : l.baton;
  }

  void pass() {
    NoRng rng;
    const engine::Engine e({.secrets = *this,
                            .strategy = *strategy_,
                            .memory = *this,
                            .clock = clock_,
                            .rng = rng,
                            .timing = {}});
    auto view = e.look(kArn);
    if (!view.ok()) return;
    if (seen_.works) remember_works(e.memory_key(*view), view->labels.current, view->labels.latest);
    engine::Pass values;
    for (int turn = 0; turn < kTurns; ++turn) {
      const Situation s = judge(*view);
      Decision d = e.decide(*view, s);
      rows_ |= 1u << d.row;
      spoil(*view, s, d);
      releasing_ = d.action == Action::DropBaton || d.action == Action::DropPending;
      if (d.action == Action::RetestAndMove && !rules_.retest) values.mark_tested(d.version_id);
      if (d.action == Action::Sync) {
        const auto value = e.value(*view, d.version_id, values);
        if (!value.ok()) return;
        (void)ask({.kind = Request::Kind::Sync,
                   .version = version_number(d.version_id),
                   .token = read_value(std::string((*value)->reveal())).token});
        return;
      }
      if (d.action == Action::Rollout) {
        (void)ask({.kind = Request::Kind::Rollout});
        return;
      }
      const bool knew = works(e.memory_key(*view), view->labels.current, view->labels.latest);
      const StepResult r = e.perform(*view, d, s, values);
      if (!knew && works(e.memory_key(*view), view->labels.current, view->labels.latest))
        (void)ask({.kind = Request::Kind::Remember});
      if (r.event == engine::Event::CleanedUp) cleaned_up_ = true;
      if (r.kind != StepResult::Kind::Progress) return;
    }
    throw std::runtime_error("a pass does not end");
  }

  const Kind kind_;
  const Rules& rules_;
  const std::vector<const std::string*> replies_;
  std::size_t at_ = 0;
  testing::FakeClock clock_;
  std::unique_ptr<engine::Strategy> strategy_;
  Seen seen_{};
  bool quiet_ = false;
  bool cleaned_up_ = false;
  bool releasing_ = false;
  std::uint32_t rows_ = 0;
};

Tree::Tree(Kind kind, const Rules& rules) : kind_(kind), rules_(rules) {
  entries_.emplace_back();
  entries_[0].next = Request{.kind = Request::Kind::Describe};
}
Tree::~Tree() = default;

Node Tree::child(Node node, const std::string& reply) {
  std::string key(reinterpret_cast<const char*>(&node), sizeof(node));
  key += reply;
  const auto [at, fresh] =
      children_.try_emplace(std::move(key), static_cast<Node>(entries_.size()));
  if (!fresh) return at->second;
  const Node made = at->second;
  entries_.push_back(Entry{.parent = node, .reply = reply, .next = {}, .seen = {}, .quiet = false});
  std::vector<const std::string*> replies;
  for (Node n = made; n != 0; n = entries_[n].parent)
    replies.insert(replies.begin(), &entries_[n].reply);
  Run run(kind_, rules_, std::move(replies));
  entries_[made].next = run.next();
  entries_[made].seen = run.seen();
  entries_[made].quiet = run.quiet();
  return made;
}

}  // namespace keyturn::simulation::model
