use super::*;
use bytes::Bytes;
use domain::EndpointId;
use ports::{AttemptError, DeliveryId, DeliveryStatus};
use ulid::Ulid;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn build(n: u8) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

fn terms(order: DeliveryOrder, concurrency: usize) -> Terms {
    let waits = [0, 10, 100].map(Duration::from_secs).into();
    Terms {
        order,
        concurrency,
        rate_per_second: None,
        schedule: Schedule::new(waits, 0, Duration::from_secs(1_000)).expect("a schedule"),
        longest_pause: Duration::from_secs(60),
        patience: Duration::from_secs(500),
        window: 8,
    }
}

fn line(order: DeliveryOrder, concurrency: usize) -> Line {
    Line::new(terms(order, concurrency), DeliveriesKnown::default(), at(0))
}

fn event(position: u64, of: u8) -> Item {
    let delivery = Delivery {
        id: DeliveryId { endpoint: EndpointId::new(Ulid(1)), position: Position(position) },
        build: Some(build(of)),
        event_id: format!("evt_{position}").into(),
        event_type: "task_completed".into(),
        status: DeliveryStatus::Pending,
        attempts: 0,
        tries: 0,
        next_at: None,
        created_at: at(0),
        ended_at: None,
        last_status: None,
        last_error: None,
    };
    Item { delivery, event: None, kept: false }
}

fn answer(status: u16) -> Attempted {
    Attempted {
        at: at(0),
        took: Duration::ZERO,
        status: Some(status),
        error: None,
        message: None,
        headers: Vec::new(),
        body: Bytes::new(),
        retry_after: None,
    }
}

/// Takes in events, given as position and build.
fn take_in(line: &mut Line, events: &[(u64, u8)]) {
    for (position, of) in events {
        line.take_in(event(*position, *of));
        line.read_up_to(Position(*position));
    }
}

fn send(line: &mut Line, now: i64) -> Option<Item> {
    match line.next(at(now)) {
        Next::Send(item) => Some(*item),
        Next::Later(_) | Next::Nothing => None,
    }
}

/// Sends whatever may be sent now. Returns the positions.
fn send_all(line: &mut Line, now: i64) -> (Vec<Item>, Vec<u64>) {
    let items: Vec<Item> = std::iter::from_fn(|| send(line, now)).collect();
    let positions = items.iter().map(|item| item.delivery.id.position.0).collect();
    (items, positions)
}

fn store(line: &mut Line) -> (u64, Vec<(u64, DeliveryStatus, Option<i64>)>) {
    let batch = line.batch();
    line.stored(&batch);
    let seconds = |time: DateTime<Utc>| (time - at(0)).num_seconds();
    let rows = batch.deliveries.iter().map(|d| (d.id.position.0, d.status, d.next_at.map(seconds)));
    (batch.progress.cursor.0, rows.collect())
}

use DeliveryStatus::{Dead, Delivered, Pending};

#[test]
fn events_are_sent_in_order_and_no_more_at_once_than_wanted() {
    let mut line = line(DeliveryOrder::Any, 2);
    take_in(&mut line, &[(3, 1), (5, 1), (6, 2)]);
    let (mut sent, positions) = send_all(&mut line, 0);
    assert_eq!(positions, [3, 5]);
    // The second is answered first: the cursor waits for the first.
    line.ended(sent.remove(1), answer(200), at(1));
    assert_eq!(store(&mut line), (2, vec![(5, Delivered, None)]));
    assert_eq!(send_all(&mut line, 1).1, [6]);
    line.ended(sent.remove(0), answer(204), at(1));
    assert_eq!(store(&mut line), (5, vec![(3, Delivered, None)]));
}

#[test]
fn who_starts_again_sends_what_has_no_result_and_nothing_else() {
    let known = DeliveriesKnown {
        progress: DeliveryProgress { cursor: Position(2), failing_since: None },
        beyond: vec![Position(4)],
        waiting: Vec::new(),
    };
    let mut line = Line::new(terms(DeliveryOrder::Any, 9), known, at(0));
    take_in(&mut line, &[(2, 1), (3, 1), (4, 1), (5, 1)]);
    assert_eq!(send_all(&mut line, 0).1, [3, 5]);
}

#[test]
fn what_fails_is_tried_again_by_the_schedule_until_it_is_dead() {
    let mut line = line(DeliveryOrder::Any, 1);
    take_in(&mut line, &[(1, 1)]);
    let mut row = None;
    for (now, status, next_at) in [(0, Pending, Some(10)), (10, Pending, Some(110)), (110, Dead, None)] {
        if let Some(row) = row.take() {
            assert!(line.ask_at() <= Some(at(now)));
            line.due(vec![row], 9, at(now));
        }
        let item = send(&mut line, now).expect("something to send");
        line.ended(item, answer(500), at(now));
        let batch = line.batch();
        line.stored(&batch);
        let delivery = batch.deliveries[0].clone();
        assert_eq!((delivery.status, delivery.next_at), (status, next_at.map(at)));
        assert_eq!(delivery.last_error, Some(AttemptError::Status));
        row = Some(delivery);
    }
    assert_eq!(row.map(|row| (row.attempts, row.ended_at)), Some((3, Some(at(110)))));
}

#[test]
fn a_row_is_not_sent_again_before_its_result_is_stored() {
    let mut line = line(DeliveryOrder::Any, 1);
    let row = Delivery { next_at: Some(at(0)), attempts: 1, tries: 1, ..event(1, 1).delivery };
    line.due(vec![row.clone()], 9, at(0));
    let item = send(&mut line, 0).expect("the row");
    line.due(vec![row.clone()], 9, at(0));
    line.ended(item, answer(200), at(0));
    line.due(vec![row], 9, at(0));
    assert_eq!(send_all(&mut line, 0).1, Vec::<u64>::new());
    assert_eq!(store(&mut line).1, [(1, Delivered, None)]);
}

#[test]
fn a_receiver_that_asks_for_patience_is_left_alone() {
    let mut line = line(DeliveryOrder::Any, 4);
    take_in(&mut line, &[(1, 1), (2, 1)]);
    let item = send(&mut line, 0).expect("the first");
    line.ended(item, Attempted { retry_after: Some(Duration::from_secs(30)), ..answer(429) }, at(0));
    assert!(matches!(line.next(at(29)), Next::Later(until) if until == at(30)));
    assert_eq!(send_all(&mut line, 30).1, [2]);
    assert_eq!(store(&mut line).1, [(1, Pending, Some(30))]);
}

#[test]
fn a_clock_that_is_set_back_makes_no_pause_longer_than_the_longest() {
    let mut line = line(DeliveryOrder::Any, 4);
    take_in(&mut line, &[(1, 1), (2, 1)]);
    let item = send(&mut line, 3_600).expect("the first");
    line.ended(item, Attempted { retry_after: Some(Duration::from_secs(30)), ..answer(429) }, at(3_600));
    assert!(matches!(line.next(at(0)), Next::Later(until) if until == at(60)));
    assert!(matches!(line.next(at(59)), Next::Later(until) if until == at(60)));
    assert_eq!(send_all(&mut line, 60).1, [2]);
}

#[test]
fn within_a_build_one_waits_for_the_other_and_builds_do_not() {
    let mut line = line(DeliveryOrder::PerBuild, 9);
    take_in(&mut line, &[(1, 1), (2, 1), (3, 2), (4, 1)]);
    let (mut sent, positions) = send_all(&mut line, 0);
    assert_eq!(positions, [1, 3]);
    line.ended(sent.remove(0), answer(200), at(0));
    let (_, positions) = send_all(&mut line, 0);
    assert_eq!(positions, [2]);
}

#[test]
fn what_fails_holds_back_the_later_events_of_its_build_only() {
    let mut line = line(DeliveryOrder::PerBuild, 9);
    take_in(&mut line, &[(1, 1), (2, 1), (3, 2)]);
    let (mut sent, _) = send_all(&mut line, 0);
    line.ended(sent.remove(0), answer(500), at(0));
    // Later events join the rows.
    take_in(&mut line, &[(4, 1), (5, 2)]);
    line.ended(sent.remove(0), answer(200), at(0));
    assert_eq!(send_all(&mut line, 0).1, [5]);
    let rows = [(1, Pending, Some(10)), (2, Pending, None), (3, Delivered, None), (4, Pending, None)];
    assert_eq!(store(&mut line), (4, rows.into()));
    // Its time comes, it is delivered, and the others are read and follow in order.
    let first = Delivery { next_at: Some(at(10)), attempts: 1, tries: 1, ..event(1, 1).delivery };
    line.due(vec![first], 9, at(10));
    let first = send(&mut line, 10).expect("the first again");
    take_in(&mut line, &[(6, 1)]);
    line.ended(first, answer(200), at(10));
    assert_eq!(line.take_questions(), [build(1)]);
    take_in(&mut line, &[(7, 1)]);
    store(&mut line);
    line.answered(build(1), [2, 4, 6].map(|n| event(n, 1).delivery).into(), 9, at(10));
    for expected in [2, 4, 6, 7] {
        let next = send(&mut line, 10).expect("the next");
        assert_eq!(next.delivery.id.position.0, expected);
        assert_eq!(send_all(&mut line, 10).1, Vec::<u64>::new());
        line.ended(next, answer(200), at(10));
    }
}

#[test]
fn an_endpoint_that_fails_for_too_long_is_hopeless_and_one_success_is_enough_not_to_be() {
    let mut line = line(DeliveryOrder::Any, 1);
    let mut attempt = |position, status, now| {
        take_in(&mut line, &[(position, 1)]);
        let item = send(&mut line, now).expect("something to send");
        line.ended(item, answer(status), at(now))
    };
    assert_eq!(attempt(1, 500, 0), None);
    assert_eq!(attempt(2, 500, 499), None);
    assert_eq!(attempt(3, 200, 500), None);
    assert_eq!(attempt(4, 500, 501), None);
    assert_eq!(attempt(5, 500, 1_001), Some(Hopeless::Failing(at(501))));
    assert_eq!(attempt(6, 410, 1_002), Some(Hopeless::Gone));
}

#[test]
fn a_failing_endpoint_is_sent_one_thing_at_a_time() {
    let mut line = line(DeliveryOrder::Any, 8);
    take_in(&mut line, &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]);
    for _ in 0..3 {
        let item = send(&mut line, 0).expect("something to send");
        line.ended(item, answer(500), at(0));
    }
    assert_eq!(send_all(&mut line, 0).1, [4]);
}

#[test]
fn memory_holds_a_window_only() {
    let mut line = line(DeliveryOrder::PerBuild, 1);
    take_in(&mut line, &[(1, 1), (2, 1), (3, 2)]);
    assert_eq!(line.room(), 5);
    send(&mut line, 0).expect("the first");
    assert_eq!(line.room(), 6);
}
