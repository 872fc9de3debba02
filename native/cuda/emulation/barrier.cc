// __syncthreads and its voting forms.
#include "machine.h"

namespace ups::emu {

const char* file_of(const Site& site) {
  const char* path = site.file_name();
  const char* slash = strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

// The column counts: two barriers on one line are two.
bool same_place(const Site& a, const Site& b) {
  if (a.line() != b.line() || a.column() != b.column()) return false;
  return a.file_name() == b.file_name() || strcmp(a.file_name(), b.file_name()) == 0;
}

bool skipped(const Machine& m, const Site& site) {
  if (m.settings.skip_line == 0 || static_cast<int>(site.line()) != m.settings.skip_line) return false;
  return m.settings.skip_file.empty() || m.settings.skip_file == file_of(site);
}

void release_barrier(Machine& m) {
  m.barrier_result = m.barrier_predicates;
  m.at_barrier = m.barrier_predicates = 0;
  ++m.barrier_phase;
  m.fruitless_yields = 0;
  if (m.settings.record_sites) record_site(m.barrier_site);
  for (unsigned thread = 0; thread < m.threads; ++thread)
    if (m.lanes[thread].state == State::at_barrier) make_ready(m.lanes[thread]);
}

unsigned barrier(bool predicate, Site site) {
  Machine& m = machine();
  if (skipped(m, site)) return predicate ? 1 : 0;
  if (m.at_barrier == 0) m.barrier_site = site;
  else if (!same_place(site, m.barrier_site))
    fail("divergent barrier: this thread is at %s:%u:%u, others are at %s:%u:%u", file_of(site), line_of(site),
         static_cast<unsigned>(site.column()), file_of(m.barrier_site), line_of(m.barrier_site),
         static_cast<unsigned>(m.barrier_site.column()));
  if (m.alive != m.threads && m.settings.strict_exit)
    fail("barrier at %s:%u reached after %u of %u threads returned", file_of(site), line_of(site), m.threads - m.alive,
         m.threads);
  Lane& me = running_lane();
  char* order = barrier_order(m);
  publish(order);
  me.state = State::at_barrier;
  me.site = site;
  me.operation = "__syncthreads";
  if (predicate) ++m.barrier_predicates;
  if (++m.at_barrier == m.alive) release_barrier(m);
  wait_for_others();
  observe(order);
  return m.barrier_result;
}

}  // namespace ups::emu
