use super::super::metadata::LONGEST;
use super::*;

fn open() -> Record {
    Record {
        open: true,
        ..Record::default()
    }
}

#[test]
fn a_fresh_partition_is_committed_at_once_and_another_only_when_something_changed() {
    let fresh = Partition::new(0, 5, Metadata::default(), true);
    assert!(!fresh.is_committed());
    let mut known = Partition::new(0, 5, Metadata::default(), false);
    assert!(known.is_committed());
    assert!(known.came(5));
    assert!(known.is_committed(), "nothing is finished");
    known.finish(5);
    let commit = known.commit(0, LONGEST).expect("news");
    assert_eq!((commit.offset, known.is_committed()), (6, false));
    known.stored(&commit);
    assert!(known.is_committed());
}

#[test]
fn what_changes_during_a_commit_is_for_the_next() {
    let mut partition = Partition::new(0, 0, Metadata::default(), false);
    assert!(partition.came(0) && partition.came(1));
    partition.finish(0);
    let commit = partition.commit(0, LONGEST).expect("news");
    partition.finish(1);
    partition.stored(&commit);
    assert!(!partition.is_committed());
    assert_eq!(partition.commit(0, LONGEST).expect("news").offset, 2);
}

#[test]
fn who_leaves_a_record_is_given_no_more_than_is_committed() {
    let mut partition = Partition::new(0, 0, Metadata::default(), false);
    assert!(partition.came(0));
    let (tell, mut told) = oneshot::channel();
    partition.set_record(&open(), tell);
    assert!(!partition.may_give() && partition.is_urgent());
    let commit = partition.commit(0, LONGEST).expect("news");
    let given = commit.metadata.given.unwrap();
    assert_eq!(given, 1 + 2 * RESERVE);
    partition.stored(&commit);
    assert_eq!(told.try_recv().unwrap(), Ok(()));
    let more = (1..).take_while(|offset| partition.may_give() && partition.came(*offset));
    assert_eq!(more.last(), Some(given - 1));
    assert!(partition.is_urgent(), "it asks for more");
    let commit = partition.commit(0, LONGEST).expect("news");
    partition.stored(&commit);
    assert!(partition.may_give());
}

#[test]
fn a_record_that_is_refused_is_told() {
    let mut partition = Partition::new(0, 0, Metadata::default(), false);
    let (tell, mut told) = oneshot::channel();
    partition.set_record(&Record::default(), tell);
    let commit = partition.commit(0, LONGEST).expect("news");
    partition.refused(&commit, &SourceError::Lost);
    assert_eq!(told.try_recv().unwrap(), Err(SourceError::Lost));
    assert!(!partition.is_committed(), "it is tried again");
}

#[test]
fn how_a_commit_ended_says_nothing_of_a_later_ownership() {
    let mut before = Partition::new(0, 0, Metadata::default(), false);
    assert!((0..2).all(|offset| before.came(offset)));
    before.finish(0);
    before.finish(1);
    let late = before.commit(0, LONGEST).expect("news");
    let mut partition = Partition::new(0, 0, Metadata::default(), false);
    assert!(partition.came(0));
    let (tell, mut told) = oneshot::channel();
    partition.set_record(&Record::default(), tell);
    let finishing = finish_with(&mut partition, 0);
    partition.stored(&late);
    partition.refused(&late, &SourceError::Lost);
    let refusal = PublishError::TooLarge("too large".into());
    partition.refused_replies(&late, vec![(0, refusal)]);
    assert!(told.try_recv().is_err(), "nobody has stored it");
    assert_eq!(
        (partition.uncommitted(), partition.is_committed()),
        (1, false)
    );
    let commit = partition.commit(1, LONGEST).expect("news");
    partition.stored(&commit);
    assert_eq!(told.try_recv().unwrap(), Ok(()));
    assert_eq!(finishing.blocking_recv(), Ok(Ok(())));
}

fn finish_with(partition: &mut Partition, offset: u64) -> Told {
    let (tell, told) = oneshot::channel();
    partition.finish_with(offset, Replies::default(), tell);
    told
}

type Told = oneshot::Receiver<Result<(), FinishError>>;

#[test]
fn what_goes_with_a_commit_is_finished_by_it_and_not_before() {
    let mut partition = Partition::new(0, 0, Metadata::default(), false);
    assert!((0..4).all(|offset| partition.came(offset)));
    let mut told = finish_with(&mut partition, 1);
    assert!(partition.is_urgent() && !partition.is_committed());
    let commit = partition.commit(500, LONGEST).expect("news");
    assert_eq!(
        (commit.offset, commit.metadata.done.first()),
        (0, Some(&(1..2)))
    );
    assert_eq!(
        (partition.progress.prefix(), told.try_recv().ok()),
        (0, None)
    );
    let later = finish_with(&mut partition, 0);
    partition.refused(&commit, &SourceError::Unavailable("away".into()));
    assert_eq!(
        told.try_recv(),
        Ok(Err(FinishError::Unavailable("away".into())))
    );
    assert_eq!(partition.progress.unfinished(), 4, "nothing is finished");
    let commit = partition.commit(500, LONGEST).expect("news");
    assert_eq!((commit.offset, commit.finishing.len()), (1, 1));
    partition.stored(&commit);
    assert_eq!(later.blocking_recv(), Ok(Ok(())));
    assert_eq!(
        (partition.progress.prefix(), partition.is_committed()),
        (1, true)
    );
}

#[test]
fn no_more_go_with_a_commit_than_there_is_room_for() {
    let mut partition = Partition::new(0, 0, Metadata::default(), false);
    assert!((0..10).all(|offset| partition.came(offset)));
    let told: Vec<Told> = (0..10)
        .map(|offset| finish_with(&mut partition, offset))
        .collect();
    let commit = partition.commit(4, LONGEST).expect("news");
    assert_eq!((commit.offset, commit.finishing.len()), (4, 4));
    partition.stored(&commit);
    assert_eq!((partition.is_urgent(), told.len()), (true, 10));
}

#[test]
fn what_metadata_cannot_say_waits_for_the_prefix() {
    let mut partition = Partition::new(0, 0, Metadata::default(), false);
    assert!((0..4_000).all(|offset| partition.came(offset)));
    let odd = (1..4_000).step_by(2);
    let told: Vec<Told> = odd
        .map(|offset| finish_with(&mut partition, offset))
        .collect();
    assert_eq!(partition.commit(4_000, LONGEST), None, "nothing to say");
    let head = finish_with(&mut partition, 0);
    let commit = partition.commit(4_000, LONGEST).expect("news");
    let finished: Vec<u64> = commit.finishing.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(
        (commit.offset, &*finished, &*commit.metadata.done),
        (2, &[0, 1][..], &[][..])
    );
    partition.stored(&commit);
    assert_eq!((head.blocking_recv(), told.len()), (Ok(Ok(())), 2_000));
    // A few of them it can say.
    let commit = partition.commit(500, LONGEST).expect("news");
    assert_eq!((commit.offset, commit.finishing.len()), (2, 500));
}
