use buildwright_bus_local::LocalQueue;
use domain::build::Work;
use futures::future::join_all;
use ports::{BusError, Lease, TaskQueue, WorkOrder};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use testkit::bus::{build, order, soon, task};

async fn queue_of(orders: impl IntoIterator<Item = WorkOrder>) -> LocalQueue {
    let queue = LocalQueue::new(100_000);
    for order in orders {
        queue.offer(order).await.expect("taken");
    }
    queue
}

async fn take(queue: &LocalQueue) -> Box<dyn Lease> {
    soon(queue.take()).await.expect("open")
}

fn name(lease: &dyn Lease) -> String {
    let order = lease.order();
    format!("{} {} {}", order.build, order.work, order.attempt)
}

async fn next(queue: &LocalQueue) -> String {
    let lease = take(queue).await;
    let name = name(&*lease);
    lease.settle().await;
    name
}

#[tokio::test]
async fn an_attempt_is_offered_once_while_it_waits_or_is_held() {
    let queue = queue_of([order(1, Work::Plan, 1), order(1, Work::Plan, 1)]).await;
    let lease = take(&queue).await;
    queue.offer(order(1, Work::Plan, 1)).await.expect("dropped");
    assert_eq!(queue.waiting(), 0);

    // Other attempts, works and builds are other orders.
    for other in [order(1, Work::Plan, 2), order(1, Work::Merge, 1), order(2, Work::Plan, 1)] {
        queue.offer(other).await.expect("taken");
    }
    assert_eq!(queue.waiting(), 3);

    // Once settled it is forgotten, so it may be offered again.
    lease.settle().await;
    queue.offer(order(1, Work::Plan, 1)).await.expect("taken");
    assert_eq!(queue.waiting(), 4);
}

#[tokio::test]
async fn a_lease_that_is_lost_gives_its_order_back_to_the_front() {
    let queue = queue_of((0..4).map(|n| order(1, task(n), 1))).await;
    let (first, second) = (take(&queue).await, take(&queue).await);
    drop(second);
    drop(first);
    for n in [0, 1, 2, 3] {
        assert_eq!(next(&queue).await, format!("{} task-{n} 1", build(1)));
    }
}

#[tokio::test]
async fn an_old_lease_of_a_forgotten_build_does_not_touch_a_new_order() {
    let queue = queue_of([order(1, Work::Plan, 1)]).await;
    let old = take(&queue).await;
    queue.forget(build(1));
    queue.offer(order(1, Work::Plan, 1)).await.expect("taken");
    let new = take(&queue).await;

    old.settle().await;
    queue.offer(order(1, Work::Plan, 1)).await.expect("dropped: the new lease stands");
    assert_eq!(queue.waiting(), 0);
    drop(new);
    assert_eq!(queue.waiting(), 1);
}

#[tokio::test]
async fn a_taker_that_stops_waiting_takes_nothing_with_it() {
    let queue = LocalQueue::new(10);
    let impatient = tokio::spawn({
        let queue = queue.clone();
        async move { queue.take().await.map(|lease| name(&*lease)) }
    });
    tokio::task::yield_now().await;
    queue.offer(order(1, Work::Plan, 1)).await.expect("taken");
    impatient.abort(); // it was woken, but has not run yet
    let _ = impatient.await;
    assert_eq!(next(&queue).await, format!("{} plan 1", build(1)));
}

#[tokio::test]
async fn a_full_queue_refuses_until_something_is_taken() {
    let queue = LocalQueue::new(2);
    for n in 0..2 {
        queue.offer(order(1, task(n), 1)).await.expect("taken");
    }
    assert!(matches!(queue.offer(order(1, task(2), 1)).await, Err(BusError::Unavailable(_))));
    take(&queue).await.settle().await;
    queue.offer(order(1, task(2), 1)).await.expect("taken");
}

#[tokio::test]
async fn closing_ends_all_waiting() {
    let queue = LocalQueue::new(10);
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.take().await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    queue.close();
    for taker in waiting {
        assert!(matches!(soon(taker).await.expect("no panic"), Err(BusError::Closed)));
    }
    assert!(matches!(queue.offer(order(1, Work::Plan, 1)).await, Err(BusError::Closed)));
    assert!(matches!(queue.take().await.map(drop), Err(BusError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_takers_share_tens_of_thousands_of_orders_without_loss() {
    const ORDERS: u32 = 40_000;
    let queue = LocalQueue::new(100_000);
    let count = Arc::new(AtomicU32::new(0));
    let takers = (0..16).map(|taker| {
        let (queue, count) = (queue.clone(), Arc::clone(&count));
        tokio::spawn(async move {
            let (mut settled, mut taken) = (Vec::new(), 0);
            while let Ok(lease) = queue.take().await {
                let Work::Task(number) = lease.order().work else { panic!("offered tasks only") };
                taken += 1;
                // Now and then one is lost and comes again, to anybody.
                if taker % 4 == 0 && taken % 3 == 0 {
                    drop(lease);
                    tokio::task::yield_now().await;
                } else {
                    lease.settle().await;
                    settled.push(number.0);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            settled
        })
    });
    let takers: Vec<_> = takers.collect();
    for n in 0..ORDERS {
        queue.offer(order(u64::from(n % 100), task(n), 1)).await.expect("taken");
    }
    soon(async {
        while count.load(Ordering::Relaxed) < ORDERS {
            tokio::task::yield_now().await;
        }
    })
    .await;
    queue.close();
    let settled = soon(join_all(takers)).await;
    let mut settled: Vec<u32> = settled.into_iter().flat_map(|taker| taker.expect("no panic")).collect();
    settled.sort_unstable();
    assert!(settled.into_iter().eq(0..ORDERS), "an order was lost or settled twice");
}
