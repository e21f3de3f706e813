#include "tests/crash/pool_model.h"

namespace nacre::crash {

Code PoolModel::apply(std::string_view op) {
  PoolModel after = *this;
  for (const PoolCall& call : parse_calls(op))
    if (const Code code = after.apply_call(call.what); code != Code::ok) return code;
  *this = std::move(after);
  return Code::ok;
}

Code PoolModel::apply_call(std::string_view op) {
  if (op.starts_with("put:")) {
    for (const Put& put : parse_puts(op)) {
      nodes_.insert(put.key / kSlots);
      records_[put.key] = put;
    }
  } else if (op.starts_with("del:")) {
    for (uint64_t key : numbers(op))
      if (!records_.contains(key)) return Code::not_found;
    for (uint64_t key : numbers(op)) records_.erase(key);
  } else if (op.starts_with("move:") || op.starts_with("drop:")) {
    const uint64_t node = numbers(op)[0];
    if (!nodes_.contains(node)) return Code::not_found;
    if (op.starts_with("move:")) return Code::ok;
    nodes_.erase(node);
    std::erase_if(records_, [node](const auto& entry) { return entry.first / kSlots == node; });
  } else if (op.starts_with("note:")) {
    notes_ = numbers(op)[0];
  }
  return Code::ok;
}

uint64_t PoolModel::fingerprint() const {
  Fingerprint f;
  for (uint64_t node : nodes_) f.add(node);
  for (const auto& [key, put] : records_) f.add(key), f.add(put.bytes), f.add(put.seed);
  f.add(notes_);
  return f.hash;
}

std::string PoolModel::text() const {
  std::string text = "nodes";
  for (uint64_t node : nodes_) text += " " + std::to_string(node);
  for (const auto& [key, put] : records_)
    text += ", " + std::to_string(key) + ":" + std::to_string(put.bytes) + ":" + std::to_string(put.seed);
  if (notes_ != 0) text += ", notes " + std::to_string(notes_);
  return text;
}

}  // namespace nacre::crash
