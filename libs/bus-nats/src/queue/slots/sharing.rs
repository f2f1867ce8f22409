//! Which slots wait at which lane. Pure: nothing here speaks to the server.

use crate::lane::Lane;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest turn.
const SHORTEST: Duration = Duration::from_millis(10);

/// The lanes, and what the server owes us of each.
pub(super) struct Sharing {
    /// The first is the lane of orders that ask for nothing.
    lanes: Vec<Place>,
    /// Whose turn it is.
    next: usize,
    /// How long a slot waits at a lane, where there may be several.
    turn: Option<Duration>,
}

struct Place {
    lane: Lane,
    asked: usize,
    /// Whether orders waited there when it was last heard of.
    more: bool,
    /// Until when it need not be glanced at.
    quiet_until: Option<Instant>,
    /// When the server must have said something.
    overdue: Instant,
}

/// Something to ask the server for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) lane: Lane,
    pub(super) count: usize,
    pub(super) manner: Manner,
}

/// For how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// As long as it takes.
    Long,
    /// For a while.
    Turn(Duration),
    /// Only what is there.
    Glance,
}

impl Sharing {
    pub(super) fn new(turn: Option<Duration>) -> Self {
        let turn = turn.map(|turn| turn.max(SHORTEST));
        Self { lanes: vec![Place::of(Lane::default())], next: 0, turn }
    }

    /// Adds a lane unless it is known.
    pub(super) fn add(&mut self, lane: Lane) {
        if self.lanes.iter().all(|place| place.lane != lane) {
            self.lanes.push(Place::of(lane));
        }
    }

    /// How many orders the server owes us.
    pub(super) fn asked(&self) -> usize {
        self.lanes.iter().map(|place| place.asked).sum()
    }

    /// When the server must have said something, if it owes us anything.
    pub(super) fn overdue(&self) -> Option<Instant> {
        self.lanes.iter().filter(|place| place.asked > 0).map(|place| place.overdue).min()
    }

    /// What to ask for so that every wanted order is asked for once.
    pub(super) fn share(&mut self, wanted: usize, now: Instant) -> Vec<Ask> {
        let asked = self.asked();
        let free = wanted.saturating_sub(asked);
        let Some(turn) = self.turn else {
            // In halves, so that not every order that comes costs a request.
            let worth_it = free > 0 && asked <= wanted / 2;
            let only = self.lanes.first().filter(|_| worth_it);
            return only.map(|only| only.ask(free, Manner::Long)).into_iter().collect();
        };
        let busy = self.lanes.iter().any(|place| place.more);
        let count = self.lanes.len();
        let turn = if wanted < count { turn / u32::try_from(count).unwrap_or(1) } else { turn };
        let (mut left, mut asks) = (free, Vec::new());
        for number in (self.next..self.next + count).map(|number| number % count) {
            let place = &self.lanes[number];
            if left > 0 && place.asked == 0 && (!busy || place.more || !place.is_quiet(now)) {
                let glance = busy && !place.more;
                asks.push(place.ask(1, if glance { Manner::Glance } else { Manner::Turn(turn) }));
                left -= 1;
                self.next = number + 1;
            }
        }
        let rich: Vec<&Place> = self
            .lanes
            .iter()
            .enumerate()
            .filter(|(n, p)| if busy { p.more } else { *n == 0 })
            .map(|(_, p)| p)
            .collect();
        for (number, place) in rich.iter().enumerate() {
            let share = left / rich.len() + usize::from(number < left % rich.len());
            asks.extend((share > 0).then(|| place.ask(share, Manner::Turn(turn))));
        }
        asks
    }

    /// The server is asked.
    pub(super) fn asked_for(&mut self, ask: &Ask, overdue: Instant) {
        if let Some(place) = self.lanes.iter_mut().find(|place| place.lane == ask.lane) {
            place.asked += ask.count;
            place.overdue = overdue;
        }
    }

    /// An order of a lane came, and more wait there or not.
    pub(super) fn came(&mut self, lane: &str, more: bool) {
        if let Some(place) = self.place(lane) {
            place.asked = place.asked.saturating_sub(1);
            place.more = more;
        }
    }

    /// The server still owes.
    pub(super) fn alive(&mut self, lane: &str, overdue: Instant) {
        if let Some(place) = self.place(lane) {
            place.overdue = overdue;
        }
    }

    /// The server owes so many fewer, or nothing any more: there are none.
    pub(super) fn less(&mut self, lane: &str, less: Option<usize>, now: Instant) {
        let quiet_until = self.turn.map(|turn| now + turn);
        if let Some(place) = self.place(lane) {
            place.asked = less.map_or(0, |less| place.asked.saturating_sub(less));
            place.more = false;
            place.quiet_until = quiet_until;
        }
    }

    /// A lane was refused, or those that are overdue. Returns whether the first lane is among them; others are
    /// forgotten until they are found again.
    pub(super) fn refused(&mut self, lane: Option<&str>, now: Instant) -> bool {
        let is_meant = |place: &Place| match lane {
            Some(lane) => place.is(lane),
            None => place.asked > 0 && place.overdue <= now,
        };
        self.lanes.retain(|place| place.lane.is_open() || !is_meant(place));
        let first = self.lanes.first_mut().filter(|place| is_meant(place));
        first.map(|place| (place.asked, place.more) = (0, false)).is_some()
    }

    /// The server forgot all it was asked for.
    pub(super) fn owe_nothing(&mut self) {
        for place in &mut self.lanes {
            place.asked = 0;
        }
    }

    fn place(&mut self, lane: &str) -> Option<&mut Place> {
        self.lanes.iter_mut().find(|place| place.is(lane))
    }
}

impl Place {
    fn of(lane: Lane) -> Self {
        Self { lane, asked: 0, more: false, quiet_until: None, overdue: Instant::now() }
    }

    fn is(&self, lane: &str) -> bool {
        self.lane.to_string() == lane
    }

    fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|until| now < until)
    }

    fn ask(&self, count: usize, manner: Manner) -> Ask {
        Ask { lane: self.lane.clone(), count, manner }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(100);

    fn gpu() -> Lane {
        Lane::of(&["gpu".parse().unwrap()])
    }

    fn of_two_lanes() -> Sharing {
        let mut sharing = Sharing::new(Some(TURN));
        sharing.add(gpu());
        sharing
    }

    /// Asks, and says for how many of which lane.
    fn ask(sharing: &mut Sharing, wanted: usize, now: Instant) -> Vec<(String, usize, Manner)> {
        let asks = sharing.share(wanted, now);
        asks.iter().for_each(|ask| sharing.asked_for(ask, now + TURN));
        assert!(sharing.asked() <= wanted, "more is asked for than there is room for");
        asks.into_iter().map(|ask| (ask.lane.to_string(), ask.count, ask.manner)).collect()
    }

    #[test]
    fn without_labels_all_slots_wait_at_the_one_lane_for_long() {
        let (mut sharing, now) = (Sharing::new(None), Instant::now());
        assert_eq!(ask(&mut sharing, 8, now), [("_".to_owned(), 8, Manner::Long)]);
        for _ in 0..3 {
            sharing.came("_", true);
            assert_eq!(ask(&mut sharing, 8, now), []);
        }
        sharing.came("_", true);
        assert_eq!(ask(&mut sharing, 8, now), [("_".to_owned(), 4, Manner::Long)]);
    }

    #[test]
    fn every_lane_has_a_slot_and_the_first_has_the_rest() {
        let (mut sharing, now) = (of_two_lanes(), Instant::now());
        let turn = Manner::Turn(TURN);
        let expected = [("_".to_owned(), 1, turn), ("gpu".to_owned(), 1, turn), ("_".to_owned(), 2, turn)];
        assert_eq!(ask(&mut sharing, 4, now), expected);
        assert_eq!(ask(&mut sharing, 4, now), []);
    }

    #[test]
    fn a_single_slot_waits_at_every_lane_in_turn() {
        let (mut sharing, now) = (of_two_lanes(), Instant::now());
        for lane in ["_", "gpu", "_", "gpu"] {
            assert_eq!(ask(&mut sharing, 1, now), [(lane.to_owned(), 1, Manner::Turn(TURN / 2))]);
            sharing.less(lane, Some(1), now);
        }
    }

    #[test]
    fn while_orders_wait_at_one_lane_the_other_is_glanced_at_now_and_then() {
        let (mut sharing, mut now) = (of_two_lanes(), Instant::now());
        ask(&mut sharing, 1, now);
        sharing.came("_", true);
        assert_eq!(ask(&mut sharing, 1, now), [("gpu".to_owned(), 1, Manner::Glance)]);
        sharing.less("gpu", Some(1), now);
        for _ in 0..5 {
            assert_eq!(ask(&mut sharing, 1, now)[0].0, "_");
            sharing.came("_", true);
        }
        now += TURN;
        assert_eq!(ask(&mut sharing, 1, now), [("gpu".to_owned(), 1, Manner::Glance)]);
    }

    #[test]
    fn slots_go_to_where_orders_wait() {
        let (mut sharing, now) = (of_two_lanes(), Instant::now());
        ask(&mut sharing, 4, now);
        sharing.came("gpu", true);
        sharing.less("_", None, now);
        let asks = ask(&mut sharing, 4, now);
        assert_eq!(asks.iter().map(|(_, count, _)| count).sum::<usize>(), 4);
        assert!(asks.iter().all(|(lane, ..)| lane == "gpu"), "{asks:?}");
    }

    #[test]
    fn a_lane_that_is_gone_is_forgotten_and_the_first_is_not() {
        let (mut sharing, now) = (of_two_lanes(), Instant::now());
        ask(&mut sharing, 4, now);
        assert!(!sharing.refused(Some("gpu"), now));
        assert!(sharing.refused(Some("_"), now));
        assert_eq!(sharing.asked(), 0);
        assert!(ask(&mut sharing, 4, now).iter().all(|(lane, ..)| lane == "_"));
        // Silence is a refusal too.
        assert!(!sharing.refused(None, now));
        assert!(sharing.refused(None, now + TURN));
    }
}
