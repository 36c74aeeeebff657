//! Worker threads of one link: file calls block, and a slow one must not hold up the others.
//!
//! Threads are made when all are busy, up to a bound, and end when they were idle for a while.
//! Calls of one *lane* (writes to one file) run one after the other, in their order.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Enough for openat, statx and a getdents buffer; the default of 2 MiB is only address space,
/// but small stacks keep what is touched small too.
const STACK: usize = 256 * 1024;
const IDLE: Duration = Duration::from_secs(10);

/// What a worker does with each job, with state of its own from when it began.
pub(super) type Work<J, S> = Arc<dyn Fn(&mut S, J) + Send + Sync>;

/// A bounded number of threads that work on jobs `J`, each with a state `S`.
pub(super) struct Pool<J, S> {
    shared: Arc<Shared<J, S>>,
}

struct Shared<J, S> {
    queue: Mutex<Queue<J>>,
    wake: Condvar,
    work: Work<J, S>,
    begin: fn() -> S,
    limit: usize,
}

struct Queue<J> {
    waiting: VecDeque<Job<J>>,
    /// A lane is listed while one of its jobs waits above or runs; the others queue here.
    lanes: HashMap<u64, VecDeque<Job<J>>>,
    threads: usize,
    idle: usize,
    closed: bool,
}

struct Job<J> {
    id: u64,
    lane: Option<u64>,
    job: J,
}

impl<J: Send + 'static, S: 'static> Pool<J, S> {
    /// A pool of at most `limit` threads, none of them made yet.
    pub(super) fn new(limit: usize, begin: fn() -> S, work: Work<J, S>) -> Self {
        let queue = Queue {
            waiting: VecDeque::new(),
            lanes: HashMap::new(),
            threads: 0,
            idle: 0,
            closed: false,
        };
        let shared = Shared {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            work,
            begin,
            limit,
        };
        Pool {
            shared: Arc::new(shared),
        }
    }

    /// Queues a job; it runs after all earlier ones of its lane. An error: no thread could be
    /// made and none is there, so it will not run.
    pub(super) fn submit(&self, id: u64, lane: Option<u64>, job: J) -> io::Result<()> {
        let mut queue = self.shared.lock();
        let job = Job { id, lane, job };
        if let Some(lane) = lane {
            if let Some(behind) = queue.lanes.get_mut(&lane) {
                behind.push_back(job);
                return Ok(());
            }
            queue.lanes.insert(lane, VecDeque::new());
        }
        queue.waiting.push_back(job);
        if queue.idle >= queue.waiting.len() || queue.threads >= self.shared.limit {
            self.shared.wake.notify_one();
            return Ok(());
        }
        let shared = self.shared.clone();
        let spawned = thread::Builder::new()
            .name("file calls".to_owned())
            .stack_size(STACK)
            .spawn(move || shared.run());
        match spawned {
            Ok(_) => queue.threads += 1,
            Err(_) if queue.threads > 0 => self.shared.wake.notify_one(),
            Err(error) => {
                let job = queue.waiting.pop_back();
                if let Some(lane) = job.and_then(|job| job.lane) {
                    queue.lanes.remove(&lane);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Drops a job that has not begun and is in no lane. What is begun is finished.
    pub(super) fn cancel(&self, id: u64) {
        self.shared
            .lock()
            .waiting
            .retain(|job| job.id != id || job.lane.is_some());
    }
}

impl<J, S> Drop for Pool<J, S> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl<J, S> Shared<J, S> {
    fn lock(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = (self.begin)();
        while let Some(Job { lane, job, .. }) = self.next() {
            (self.work)(&mut state, job);
            if let Some(lane) = lane {
                self.leave_lane(lane);
            }
        }
    }

    /// The next job. What is queued is finished even after the pool was closed: a write that was
    /// sent must not be lost because the link closed behind it.
    fn next(&self) -> Option<Job<J>> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.waiting.pop_front() {
                return Some(job);
            }
            if queue.closed {
                queue.threads -= 1;
                return None;
            }
            queue.idle += 1;
            let (woken, timeout) = self
                .wake
                .wait_timeout(queue, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            queue.idle -= 1;
            if timeout.timed_out() && queue.waiting.is_empty() {
                queue.threads -= 1;
                return None;
            }
        }
    }

    fn leave_lane(&self, lane: u64) {
        let mut queue = self.lock();
        match queue.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => queue.waiting.push_front(next),
            None => {
                queue.lanes.remove(&lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_of_one_lane_keep_their_order_and_others_pass_them() {
        let (done_tx, done_rx) = mpsc::channel();
        let work = move |_: &mut (), (number, wait): (u32, u64)| {
            thread::sleep(Duration::from_millis(wait));
            done_tx.send(number).unwrap();
        };
        let pool: Pool<(u32, u64), ()> = Pool::new(4, || (), Arc::new(work));
        for number in 0..20 {
            pool.submit(1, Some(7), (number, if number == 0 { 200 } else { 1 }))
                .unwrap();
        }
        pool.submit(2, None, (100, 0)).unwrap();
        let done: Vec<_> = done_rx.iter().take(21).collect();
        assert_eq!(done[0], 100);
        assert_eq!(done[1..], (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_cancelled_job_that_has_not_begun_never_runs() {
        let (done_tx, done_rx) = mpsc::channel();
        let work = move |_: &mut (), number: u32| {
            thread::sleep(Duration::from_millis(100));
            done_tx.send(number).unwrap();
        };
        let pool: Pool<u32, ()> = Pool::new(1, || (), Arc::new(work));
        for number in 0..3 {
            pool.submit(u64::from(number), None, number).unwrap();
        }
        pool.cancel(1);
        drop(pool);
        assert_eq!(done_rx.iter().collect::<Vec<_>>(), [0, 2]);
    }
}
