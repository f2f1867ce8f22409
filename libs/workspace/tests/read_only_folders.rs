//! Removing what an agent made read-only. On its own, since it gives up root's rights for the whole process:
//! root is never refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use buildwright_workspace::{HarvestLimits, Workspaces};
use nix::unistd::{Uid, seteuid};

#[tokio::test]
async fn read_only_folders_are_removed_and_what_links_point_at_keeps_its_mode() {
    let folder = tempfile::TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let was = Uid::effective();
    if was.is_root() {
        seteuid(Uid::from_raw(65_534)).unwrap();
    }
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::set_permissions(&outside, Permissions::from_mode(0o500)).unwrap();

    let root = folder.path().join("workspaces");
    let workspaces = Workspaces::new(root.clone(), HarvestLimits::default()).await.unwrap();
    let deep = root.join("bld_1/one/tree/a/b");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "1").unwrap();
    symlink(&outside, deep.join("link")).unwrap();
    for (path, mode) in [(&deep, 0o000), (&root.join("bld_1/one/tree/a"), 0o500)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    assert!(fs::read_dir(&deep).is_err(), "the folder must be closed, or this test shows nothing");

    workspaces.remove_build(&"bld_1".parse().unwrap()).await.unwrap();

    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o777, 0o500);
    seteuid(was).unwrap();
}
