//! A ZIP file written on a thread for blocking work while its pieces are still being read: it lies on disk under no
//! name, so it is gone with whoever holds it, whatever happens.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, result::ZipError};

use crate::auth::random_token;
use crate::error::{Error, Result};

/// Pieces that wait to be written: with their size they bound the memory that an archive takes.
const WAITING: usize = 4;

enum Piece {
    /// The name of the next file.
    Name(String),
    Bytes(Vec<u8>),
    /// A file of this name with what is on disk there.
    Copy(String, PathBuf),
    End,
}

pub struct Archive {
    pieces: mpsc::Sender<Piece>,
    written: JoinHandle<Result<File>>,
}

impl Archive {
    /// Begins one in `folder`. Dropped without [`Archive::finish`], nothing of it stays.
    pub fn begin(folder: PathBuf) -> Self {
        let (pieces, waiting) = mpsc::channel(WAITING);
        Self { pieces, written: tokio::task::spawn_blocking(move || write(&folder, waiting)) }
    }

    /// What is written next belongs to the file `name`.
    pub async fn file(&self, name: &str) -> Result<()> {
        self.send(Piece::Name(name.to_owned())).await
    }

    pub async fn write(&self, bytes: Vec<u8>) -> Result<()> {
        self.send(Piece::Bytes(bytes)).await
    }

    /// Adds what lies at `path`, if anything does, as the file `name`.
    pub async fn copy(&self, name: String, path: PathBuf) -> Result<()> {
        self.send(Piece::Copy(name, path)).await
    }

    async fn send(&self, piece: Piece) -> Result<()> {
        self.pieces.send(piece).await.map_err(|_| Error::internal("the archive can't be written"))
    }

    /// The file, to be read from its beginning.
    pub async fn finish(self) -> Result<File> {
        // When that can't be sent, the thread says why.
        let _ = self.pieces.send(Piece::End).await;
        self.written.await.map_err(Error::internal)?
    }
}

fn write(folder: &Path, mut pieces: mpsc::Receiver<Piece>) -> Result<File> {
    let mut zip = ZipWriter::new(BufWriter::new(unnamed(folder).map_err(Error::internal)?));
    let options = SimpleFileOptions::default().large_file(true);
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Name(name) => zip.start_file(name, options).map_err(Error::internal)?,
            Piece::Bytes(bytes) => zip.write_all(&bytes).map_err(Error::internal)?,
            Piece::Copy(name, path) => {
                let Ok(mut file) = File::open(path) else { continue };
                let stored = options.compression_method(CompressionMethod::Stored);
                zip.start_file(name, stored).map_err(Error::internal)?;
                std::io::copy(&mut file, &mut zip).map_err(Error::internal)?;
            }
            Piece::End => return finished(zip),
        }
    }
    Err(Error::internal("the archive was given up"))
}

fn finished(zip: ZipWriter<BufWriter<File>>) -> Result<File> {
    let file = zip.finish().and_then(|file| file.into_inner().map_err(|error| ZipError::Io(error.into_error())));
    let mut file = file.map_err(Error::internal)?;
    file.rewind().map_err(Error::internal)?;
    Ok(file)
}

/// A file that nobody but its holder can open.
fn unnamed(folder: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!(".export-{}", &random_token()[..32]));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
