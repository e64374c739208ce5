// Knobs: what is refused, and with which words.
#include "core/knobs.h"

#include <functional>
#include <set>

#include "core/glob.h"
#include "test/optimizer_fixture.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

TEST("knobs: the description is consistent") {
  for (const auto* knobs : {&describe().knobs, &describe().auxiliaryKnobs})
    for (const Knob& knob : *knobs) {
      validateKnob(knob, knob.defaultValue);
      CHECK(!knob.meaning.empty() && !knob.source.empty());
      CHECK_EQ(knob.type == "enum", !knob.choices.empty());
    }
  std::set<std::string> ids;
  for (const OptimizerDescription& optimizer : describe().optimizers) {
    ids.insert(optimizer.id);
    for (const auto& [id, value] : optimizer.defaults) validateKnob(findKnob(describe().knobs, id), value);
    if (optimizer.id != "adamw") CHECK_EQ(optimizer.defaults.size(), describe().knobs.size());
  }
  CHECK(ids == (std::set<std::string>{"adamw", "muon", "muon-original", "normuon", "normuon-reference", "normuon-speedrun"}));
  for (const DiagnosticDescription& diagnostic : describe().diagnostics)
    for (const std::string& tap : diagnostic.defaultTaps)
      CHECK(std::find(diagnostic.taps.begin(), diagnostic.taps.end(), tap) != diagnostic.taps.end());
}

TEST("knobs: wrong values are refused with what was expected and the nearest name") {
  const auto& knobs = describe().knobs;
  CHECK_THROWS(findKnob(knobs, "lernrate"), "Unknown knob \"lernrate\"");
  CHECK_THROWS(findKnob(knobs, "normalise"), "did you mean \"normalize\"?");
  CHECK_THROWS(findOptimizer("normoun"), "did you mean \"normuon\"?");
  CHECK_THROWS(validateKnob(findKnob(knobs, "lr"), -1.0), "lr: expected a number of at least 0, got -1.");
  CHECK_THROWS(validateKnob(findKnob(knobs, "lr"), std::nan("")), "lr: expected a number of at least 0, got nan.");
  CHECK_THROWS(validateKnob(findKnob(knobs, "beta1"), 1.0), "beta1: expected a number from 0 to 0.999999, got 1.");
  CHECK_THROWS(validateKnob(findKnob(knobs, "nesterov"), 1.0), "nesterov: expected true or false, got 1.");
  CHECK_THROWS(validateKnob(findKnob(knobs, "axis"), std::string("row")), "did you mean \"rows\"?");
  CHECK_THROWS(validateKnob(findKnob(knobs, "lr"), std::string("0.1")), "got \"0.1\"");
}

TEST("knobs: a change is refused as a whole or made as a whole, where its scope says") {
  const auto backend = makeCpuBackend({1});
  TestOptimizer optimizer(*backend, {{"blocks.0.up", 4, 6}, {"blocks.1.up", 4, 6}, {"head", 4, 6, Group::auxiliary}}, "normuon");
  CHECK_THROWS(optimizer->set(Group::matrix, {{"beta1", 0.5}, {"axis", "longer"}}, "*"), "axis cannot change during a run");
  CHECK_THROWS(optimizer->set(Group::matrix, {{"beta1", 0.5}, {"lr", -1.0}}, "*"), "lr: expected");
  CHECK_THROWS(optimizer->set(Group::matrix, {{"normalise", true}}, "*"), "did you mean \"normalize\"?");
  CHECK_THROWS(optimizer->set(Group::matrix, {{"lr", 0.1}}, "block.0.*"), "no matrix parameter matches \"block.0.*\"");
  CHECK_THROWS(optimizer->set(Group::auxiliary, {{"nesterov", true}}, "*"), "Unknown knob \"nesterov\"");
  CHECK_EQ(std::get<double>(optimizer->values("blocks.0.up").at("beta1")), 0.95);
  optimizer->set(Group::matrix, {{"beta1", 0.5}}, "blocks.1.*");
  optimizer->set(Group::auxiliary, {{"lr", 0.5}}, "*");
  CHECK_EQ(std::get<double>(optimizer->values("blocks.0.up").at("beta1")), 0.95);
  CHECK_EQ(std::get<double>(optimizer->values("blocks.1.up").at("beta1")), 0.5);
  CHECK_EQ(std::get<double>(optimizer->values("head").at("lr")), 0.5);
  CHECK_THROWS(optimizer->values("haed"), "did you mean \"head\"?");
}

TEST("knobs: a change of scope moves only the matrices it names") {
  const auto backend = makeCpuBackend({2});
  const std::vector<Shape> shapes = {{"a", 6, 9}, {"b", 6, 9}, {"c", 6, 9}};
  TestOptimizer plain(*backend, shapes, "normuon"), changed(*backend, shapes, "normuon");
  changed->set(Group::matrix, {{"normalize", false}, {"newtonSchulz", "polar-express"}}, "b");
  for (TestOptimizer* optimizer : {&plain, &changed}) {
    for (size_t i = 0; i < shapes.size(); ++i) optimizer->setGradient(i, unevenMatrix(6, 9, shapes[i].name));
    (*optimizer)->step(1, nullptr, true);
  }
  CHECK_LE(relativeError(changed.weight(0), plain.weight(0)), 1e-6);
  CHECK_LE(1e-2, relativeError(changed.weight(1), plain.weight(1)));
  CHECK_LE(relativeError(changed.weight(2), plain.weight(2)), 1e-6);
}

TEST("knobs: what does not apply or contradicts is refused when the optimizer is made") {
  const auto backend = makeCpuBackend({1});
  const std::vector<Shape> one = {{"w", 4, 6}};
  CHECK_THROWS(TestOptimizer(*backend, one, "adamw", {{"nesterov", true}}), "Knob \"nesterov\" does not apply to optimizer \"adamw\"");
  CHECK_THROWS(TestOptimizer(*backend, one, "normuon", {{"normalization", "none"}}), "normalize: expected false, got true");
  CHECK_THROWS(TestOptimizer(*backend, one, "normuon", {}, 0), "ranks: expected at least 1, got 0");
  TestOptimizer none(*backend, one, "normuon", {{"normalization", "none"}, {"normalize", false}});
  CHECK_THROWS(none->set(Group::matrix, {{"normalize", true}}, "*"), "no statistic is kept");
  CHECK_EQ(none->state().size(), 1u);
}

TEST("knobs: a scope's * stands for any run of characters") {
  CHECK(globMatches("*", "blocks.0.mlp.up"));
  CHECK(globMatches("blocks.*.up", "blocks.0.mlp.up"));
  CHECK(globMatches("blocks.3.*", "blocks.3.attn.out"));
  CHECK(!globMatches("blocks.3.*", "blocks.13.attn.out"));
  CHECK(!globMatches("blocks", "blocks.0"));
  CHECK(!globMatches("", "w"));
  CHECK(globMatches("", "") && globMatches("**", "") && !globMatches("a*", ""));
  CHECK(globMatches("*ab*ab", "abababab") && !globMatches("*ab*ab*ab", "abab"));
  CHECK(globMatches("a*a", "aa") && !globMatches("a*a", "a") && globMatches("w*", "w"));
  CHECK(!globMatches("blocks.?.up", "blocks.0.up"));  // no other character is special
}

// Of lengths 0 to 5 over an alphabet of three, all of them: what the definition says, read off character by character.
TEST("knobs: a scope matches what its definition says") {
  const std::function<bool(std::string_view, std::string_view)> defined = [&](std::string_view pattern, std::string_view name) {
    if (pattern.empty()) return name.empty();
    if (pattern[0] != '*') return !name.empty() && pattern[0] == name[0] && defined(pattern.substr(1), name.substr(1));
    return defined(pattern.substr(1), name) || (!name.empty() && defined(pattern, name.substr(1)));
  };
  const auto all = [](const std::string& alphabet) {
    std::vector<std::string> words = {""};
    for (size_t i = 0; i < words.size() && words[i].size() < 5; ++i)
      for (const char c : alphabet) words.push_back(words[i] + c);
    return words;
  };
  for (const std::string& pattern : all("ab*"))
    for (const std::string& name : all("ab")) CHECK_EQ(globMatches(pattern, name), defined(pattern, name));
}

TEST("knobs: no scope takes for ever") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  CHECK(!globMatches(pattern + "*b", std::string(4000, 'a')));
  CHECK(globMatches(pattern + "*b", std::string(4000, 'a') + "b"));
}

}  // namespace
}  // namespace muonscope::test
